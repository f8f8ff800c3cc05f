// Thousands of files of 4 KiB, by each one's own client: here the clients are part of what is compared.

import Foundation
import Glibc

struct SmallFileRows {
  let folder: Folder
  let rounds: Int

  /// A loop device on a disk of this machine answers a sync in 0.4 ms: ten times as many files as with a sync for each are
  /// more than its processors can make, whoever makes them. On a flash card it takes 2 to 20 ms.
  private static let slowSyncMicroseconds = 2000

  func rows() throws -> [Row] {
    // What was removed before, and on which file system, would otherwise say more than the programs do.
    let disk = try folder.makeDisk("small", bytes: 4 << 30)
    defer { disk.unmount() }
    let fast = try SmallFiles(
      folder: disk, rounds: rounds, count: 10_000, title: "10,000 of 4 KiB",
      goals: [Goal(against: "rsync", bound: .atLeast, value: 1)])
    let slow = try SmallFiles(
      folder: disk, rounds: rounds, count: 2000, title: "2,000 of 4 KiB, syncs of 2 ms",
      goals: [Goal(against: "rsync --fsync", bound: .atLeast, value: 10)],
      environment: ["LD_PRELOAD=\(Tools.slowSync)", "BENCH_SYNC_MICROSECONDS=\(Self.slowSyncMicroseconds)"])
    return try fast.rows(withPeersThatDoNotSync: true) + slow.rows(withPeersThatDoNotSync: false)
  }
}

/// One folder of files, moved there and back by everybody in turn.
private struct SmallFiles {
  let folder: Folder
  let rounds: Int
  let count: Int
  let title: String
  let goals: [Goal]
  /// Of servers and clients.
  let environment: [String]
  private let tree: String
  /// As the servers call their copy of it.
  private let served: String

  private static let size = 4096

  /// One way of moving the folder, there and back.
  private struct Way {
    let name: String
    let server: Server
    let put: (String) -> [String]
    let get: (String) -> [String]
  }

  init(
    folder: Folder, rounds: Int, count: Int, title: String, goals: [Goal], environment: [String] = []
  ) throws {
    self.folder = folder
    self.rounds = rounds
    self.count = count
    self.title = title
    self.goals = goals
    self.environment = environment
    let name = "files\(count)"
    served = "served\(count)"
    tree = try folder.makeFolder(name)
    for index in 0..<count { _ = try folder.makeRandom("\(name)/\(index)", bytes: Self.size) }
  }

  func rows(withPeersThatDoNotSync: Bool) throws -> [Row] {
    var ways = [splice(try .splice(folder, environment: environment))]
    let rsync = try Server.rsync(folder, environment: environment)
    if withPeersThatDoNotSync { ways.append(self.rsync("rsync", rsync)) }
    ways.append(self.rsync("rsync --fsync", rsync, "--fsync"))
    if withPeersThatDoNotSync { ways.append(lftp(try .vsftpd(folder))) }
    defer { for way in ways { way.server.stop() } }
    for root in Set(ways.map(\.server.root)) { try Program.run(["cp", "-r", tree, root + "/" + served]) }
    let note = "all of Splice's files are durable, of the others only those of rsync --fsync"
    var put = Row("small files up, \(title)", "files/s", moreIsBetter: true, goals: goals, note: note)
    var get = Row("small files down, \(title)", "files/s", moreIsBetter: true, goals: goals, note: note)
    var putCost = Row("small files up, \(title), server", "CPU ms per 1,000 files", moreIsBetter: false)
    var getCost = Row("small files down, \(title), server", "CPU ms per 1,000 files", moreIsBetter: false)
    for round in 0..<rounds {
      for way in ways.rotated(by: round) {
        let name = "round\(round)"
        let target = "\(way.server.root)/\(way.server.uploads)\(name)"
        let up = try move(way, way.put(name), to: target)
        put.add(Double(count) / up.seconds, to: way.name)
        putCost.add(up.cpuSeconds * 1e6 / Double(count), to: way.name)
        let fetched = try folder.makeFolder("fetched")
        let down = try move(way, way.get(fetched), to: fetched)
        get.add(Double(count) / down.seconds, to: way.name)
        getCost.add(down.cpuSeconds * 1e6 / Double(count), to: way.name)
      }
    }
    let order = ways.map(\.name)
    return [put, get, putCost, getCost].map { $0.ordered(by: order) }
  }

  // MARK: Ways

  private func splice(_ server: Server) -> Way {
    let address = "splice://127.0.0.1:\(server.port)"
    return Way(
      name: "splice", server: server,
      put: { [Tools.splice, "put", "-r", tree, "\(address)/\($0)/"] },
      get: { [Tools.splice, "get", "-r", "\(address)/\(served)", $0] })
  }

  private func rsync(_ name: String, _ server: Server, _ options: String...) -> Way {
    let address = "rsync://127.0.0.1:\(server.port)/data"
    return Way(
      name: name, server: server,
      put: { ["rsync", "-r"] + options + [tree, "\(address)/\($0)/"] },
      get: { ["rsync", "-r"] + options + ["\(address)/\(served)", $0] })
  }

  private func lftp(_ server: Server) -> Way {
    func run(_ command: String) -> [String] {
      ["lftp", "-c", "open -u anonymous,bench ftp://127.0.0.1:\(server.port); \(command)"]
    }
    return Way(
      name: "lftp mirror to vsftpd", server: server,
      put: { run("mirror -R --parallel=8 \(tree) up/\($0)") },
      get: { run("mirror --parallel=8 \(served) \($0)") })
  }

  // MARK: Moving

  /// Moves the folder once, sees that it has arrived in `target`, and removes it there.
  private func move(_ way: Way, _ command: [String], to target: String) throws -> Cost {
    folder.settle()
    let cost = try Cost.of(
      way.server, bytes: count * Self.size, command,
      // The cache of digests stays in the benchmark's folder.
      environment: environment + ["XDG_CACHE_HOME=\(folder.path)/cache"],
      errors: folder.file("clients.log"))
    try requireAll(in: target)
    try Program.run(["rm", "-rf", target])
    return cost
  }

  /// Every file has arrived, wherever below `path` the client has put the folder.
  private func requireAll(in path: String) throws {
    let found = FileManager.default.enumerator(atPath: path)?.reduce(0) { count, name in
      var status = stat()
      let isFile = stat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
      return count + (isFile && status.st_size == off_t(Self.size) ? 1 : 0)
    }
    guard found == count else { throw BenchError("\(found ?? 0) of \(count) files are in \(path)") }
  }
}
