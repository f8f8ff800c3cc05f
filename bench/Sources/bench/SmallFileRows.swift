// Ten thousand files of 4 KiB, by each one's own client: here the clients are part of what is compared.

import Foundation
import Glibc

struct SmallFileRows {
  let folder: Folder
  let rounds: Int

  private static let count = 10_000
  private static let size = 4096

  /// One way of moving the folder, there or back.
  private struct Way {
    let name: String
    let server: Server
    let put: (String) -> [String]
    let get: ((String) -> [String])?
  }

  func rows() throws -> [Row] {
    let tree = try makeTree()
    let (splice, rsync, vsftpd) = (
      try Server.splice(folder), try Server.rsync(folder), try Server.vsftpd(folder)
    )
    defer { for server in [splice, rsync, vsftpd] { server.stop() } }
    let address = "127.0.0.1:"
    let ways = [
      Way(
        name: "splice", server: splice,
        put: { [Tools.splice, "put", "-r", tree, "splice://\(address)\(splice.port)/\($0)/"] },
        get: { [Tools.splice, "get", "-r", "splice://\(address)\(splice.port)/files", $0] }),
      Way(
        name: "rsync", server: rsync,
        put: { ["rsync", "-r", tree, "rsync://\(address)\(rsync.port)/data/\($0)/"] },
        get: { ["rsync", "-r", "rsync://\(address)\(rsync.port)/data/files", $0] }),
      Way(
        name: "rsync --fsync", server: rsync,
        put: { ["rsync", "-r", "--fsync", tree, "rsync://\(address)\(rsync.port)/data/\($0)/"] },
        get: { ["rsync", "-r", "--fsync", "rsync://\(address)\(rsync.port)/data/files", $0] }),
      Way(
        name: "lftp mirror to vsftpd", server: vsftpd,
        put: { Self.lftp(vsftpd, "mirror -R --parallel=8 \(tree) up/\($0)") },
        get: { Self.lftp(vsftpd, "mirror --parallel=8 files \($0)") }),
    ]
    for server in [splice, rsync, vsftpd] {
      try Program.run(["cp", "-r", tree, server.root + "/files"])
    }
    let goals = [
      Goal(against: "rsync --fsync", bound: .atLeast, value: 10),
      Goal(against: "rsync", bound: .atLeast, value: 1),
    ]
    let note = "all of Splice's files are durable, of the others only those of rsync --fsync"
    var put = Row("small files up, 10,000 of 4 KiB", "files/s", moreIsBetter: true, goals: goals, note: note)
    var get = Row(
      "small files down, 10,000 of 4 KiB", "files/s", moreIsBetter: true, goals: goals, note: note)
    var putCost = Row("small files up, server", "CPU ms per 1,000 files", moreIsBetter: false)
    var getCost = Row("small files down, server", "CPU ms per 1,000 files", moreIsBetter: false)
    for round in 0..<rounds {
      for way in ways.rotated(by: round) {
        let name = "round\(round)"
        folder.settle()
        let up = try move(way, way.put(name))
        try requireAll(in: "\(way.server.root)/\(way.server.uploads)\(name)")
        try Program.run(["rm", "-rf", "\(way.server.root)/\(way.server.uploads)\(name)"])
        put.add(Double(Self.count) / up.seconds, to: way.name)
        putCost.add(up.cpuSeconds * 1e6 / Double(Self.count), to: way.name)
        guard let command = way.get else { continue }
        let target = try folder.makeFolder("fetched")
        folder.settle()
        let down = try move(way, command(target))
        try requireAll(in: target)
        try Program.run(["rm", "-rf", target])
        get.add(Double(Self.count) / down.seconds, to: way.name)
        getCost.add(down.cpuSeconds * 1e6 / Double(Self.count), to: way.name)
      }
    }
    let order = ways.map(\.name)
    return [put, get, putCost, getCost].map { $0.ordered(by: order) }
  }

  private func move(_ way: Way, _ command: [String]) throws -> Cost {
    // The cache of digests stays in the benchmark's folder.
    try .of(
      way.server, bytes: Self.count * Self.size, command,
      environment: ["XDG_CACHE_HOME=\(folder.path)/cache"],
      errors: folder.file("clients.log"))
  }

  private func makeTree() throws -> String {
    let tree = try folder.makeFolder("files")
    for index in 0..<Self.count { _ = try folder.makeRandom("files/\(index)", bytes: Self.size) }
    return tree
  }

  /// Every file has arrived, wherever below `path` the client has put the folder.
  private func requireAll(in path: String) throws {
    let found = FileManager.default.enumerator(atPath: path)?.reduce(0) { count, name in
      var status = stat()
      let isFile = stat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == S_IFREG
      return count + (isFile && status.st_size == off_t(Self.size) ? 1 : 0)
    }
    guard found == Self.count else { throw BenchError("\(found ?? 0) of \(Self.count) files are in \(path)") }
  }

  private static func lftp(_ server: Server, _ command: String) -> [String] {
    ["lftp", "-c", "open -u anonymous,bench ftp://127.0.0.1:\(server.port); \(command)"]
  }
}
