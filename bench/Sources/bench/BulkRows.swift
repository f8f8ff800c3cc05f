// 1 GiB down and up, from one connection.

import Foundation
import Glibc

struct BulkRows {
  let folder: Folder
  let rounds: Int
  let withPeers: Bool

  static let size = 1 << 30
  /// As the daemon's default for checkpoints.
  private static let checkpoint = 64 << 20

  private func source() throws -> String {
    let path = folder.file("1GiB")
    if access(path, R_OK) != 0 { return try folder.makeRandom("1GiB", bytes: Self.size) }
    return path
  }

  private func peers(syncing: Bool) throws -> [Server] {
    var servers = [try Server.splice(folder), try Server.bare(folder)]
    if syncing { servers.append(try Server.bare(folder, syncBytes: Self.checkpoint)) }
    if withPeers {
      servers += [try Server.nginx(folder), try Server.vsftpd(folder), try Server.rsync(folder)]
    }
    return servers
  }

  func downloads() throws -> [Row] {
    var cpu = Row(
      "download 1 GiB, warm cache", "GB per CPU second of the server", moreIsBetter: true,
      goals: [
        Goal(against: "bare C loop", bound: .atLeast, value: 0.97),
        Goal(against: "nginx", bound: .atLeast, value: 1.05),
      ])
    var wall = Row("download 1 GiB, warm cache, wall clock", "GB/s", moreIsBetter: true)
    let file = try source()
    try Folder.warm(file)
    let servers = try peers(syncing: false)
    defer { for server in servers { server.stop() } }
    for server in servers { try server.offer(file, as: "file") }
    // The first download makes digests, which later ones find.
    for server in servers { _ = try download(server) }
    for round in 0..<rounds {
      for server in servers.rotated(by: round) {
        let cost = try download(server)
        cpu.add(cost.gigabytesPerCPUSecond, to: server.name)
        wall.add(cost.gigabytesPerSecond, to: server.name)
      }
    }
    return [cpu.ordered(as: servers), wall.ordered(as: servers)]
  }

  private func download(_ server: Server) throws -> Cost {
    if server.wire == "rsync" {
      let target = folder.file("rsync.download")
      defer { unlink(target) }
      return try .of(
        server, bytes: Self.size, ["rsync", "-W", "rsync://127.0.0.1:\(server.port)/data/file", target])
    }
    return try .of(server, ["get", server.wire, "\(server.port)", "file", "1", "1"])
  }

  func uploads() throws -> [Row] {
    var cpu = Row(
      "upload 1 GiB, to disk", "GB per CPU second of the server", moreIsBetter: true,
      goals: [
        Goal(against: "bare C loop", bound: .atLeast, value: 0.90),
        Goal(against: "vsftpd", bound: .atLeast, value: 1.3),
        Goal(against: "nginx", bound: .atLeast, value: 1.5),
        Goal(against: "rsync", bound: .atLeast, value: 3),
      ],
      note: "Splice with digests, journal and checkpoints; of the others only the loop + fdatasync is durable"
    )
    var wall = Row("upload 1 GiB, to disk, wall clock", "GB/s", moreIsBetter: true)
    let file = try source()
    try Folder.warm(file)
    let servers = try peers(syncing: true)
    defer { for server in servers { server.stop() } }
    for round in 0..<rounds {
      for server in servers.rotated(by: round) {
        folder.settle()
        let name = server.uploads + "upload\(round)"
        let cost = try upload(file, to: server, as: name)
        try check(server, name)
        unlink(server.root + "/" + name)
        cpu.add(cost.gigabytesPerCPUSecond, to: server.name)
        wall.add(cost.gigabytesPerSecond, to: server.name)
      }
    }
    return [cpu.ordered(as: servers), wall.ordered(as: servers)]
  }

  private func upload(_ file: String, to server: Server, as name: String) throws -> Cost {
    if server.wire == "rsync" {
      return try .of(
        server, bytes: Self.size, ["rsync", "-W", file, "rsync://127.0.0.1:\(server.port)/data/\(name)"])
    }
    return try .of(server, ["put", server.wire, "\(server.port)", file, name])
  }

  /// A server that stored something else was not measured at all.
  private func check(_ server: Server, _ name: String) throws {
    let status = try? FileManager.default.attributesOfItem(atPath: server.root + "/" + name)
    guard (status?[.size] as? Int) == Self.size else {
      throw BenchError("\(server.name) did not store \(name)")
    }
  }
}

extension Array {
  /// The same elements, beginning with another one each round, so that none always comes after the same one.
  func rotated(by round: Int) -> [Element] {
    guard !isEmpty else { return self }
    let start = round % count
    return Array(self[start...] + self[..<start])
  }
}

extension Row {
  /// The series in the order of `servers`, whichever came first.
  func ordered(as servers: [Server]) -> Row { ordered(by: servers.map(\.name)) }

  func ordered(by names: [String]) -> Row {
    var result = self
    result.series = names.compactMap { name in series.first { $0.subject == name } }
    return result
  }
}
