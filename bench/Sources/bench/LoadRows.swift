// Many connections at once: fairness, workers, and what one transfer costs in a crowd.

import Foundation
import Glibc

struct LoadRows {
  let folder: Folder
  let rounds: Int

  private func offer(_ files: [(String, String)], by servers: [Server]) throws {
    for server in servers {
      for (file, name) in files { try server.offer(file, as: name) }
    }
    // Digests are made once; what is compared is what comes after.
    for server in servers {
      for (_, name) in files { _ = try Driver.run(["get", server.wire, "\(server.port)", name, "1", "1"]) }
    }
  }

  // MARK: Fairness

  func fairness() throws -> [Row] {
    let goal = Goal(against: "nginx", isDifference: true, bound: .atMost, value: 5)
    var middle = Row("4 KiB get beside 64 bulk downloads, p50", "ms", moreIsBetter: false)
    var late = Row("4 KiB get beside 64 bulk downloads, p99", "ms", moreIsBetter: false, goals: [goal])
    var warm = Row("4 KiB get beside one warm 4 GiB download, p99", "ms", moreIsBetter: false)
    var cold = Row(
      "4 KiB get beside one cold 4 GiB download, p99", "ms", moreIsBetter: false,
      note: "cold: dropped from the page cache before each round")
    let bulk = try folder.makeRandom("256MiB", bytes: 256 << 20)
    let small = try folder.makeRandom("4KiB", bytes: 4096)
    let large = try folder.makeRandom("4GiB", bytes: 4 << 30)
    folder.settle()
    let servers = [try Server.splice(folder), try Server.nginx(folder)]
    defer {
      for server in servers { server.stop() }
      unlink(large)
    }
    try offer([(bulk, "bulk"), (small, "small"), (large, "large")], by: servers)
    for round in 0..<rounds {
      for server in servers.rotated(by: round) {
        let crowd = try probe(server, "bulk", connections: 64)
        middle.add(crowd["p50_ms"], to: server.name)
        late.add(crowd["p99_ms"], to: server.name)
        try Folder.warm(large)
        warm.add(try probe(server, "large", connections: 1)["p99_ms"], to: server.name)
        try Folder.drop(large)
        cold.add(try probe(server, "large", connections: 1)["p99_ms"], to: server.name)
      }
    }
    return [middle, late, warm, cold].map { $0.ordered(as: servers) }
  }

  private func probe(_ server: Server, _ bulk: String, connections: Int) throws -> Driver {
    try Driver.run(["fair", server.wire, "\(server.port)", bulk, "small", "\(connections)", "300"])
  }

  // MARK: Scaling

  func scaling() throws -> [Row] {
    var wall = Row("8 downloads of 256 MiB at once", "GB/s", moreIsBetter: true)
    var cpu = Row(
      "8 downloads of 256 MiB at once, cost", "GB per CPU second of the server", moreIsBetter: true)
    var crowd = Row(
      "1,024 downloads of 1 MiB", "CPU microseconds of the server for each", moreIsBetter: false,
      note: "the first line, 1,024 connections with one download each, is divided by the others")
    let bulk = try folder.makeRandom("256MiB", bytes: 256 << 20)
    let piece = try folder.makeRandom("1MiB", bytes: 1 << 20)
    let servers = [try Server.splice(folder, workers: 2), try Server.splice(folder)]
    defer { for server in servers { server.stop() } }
    try offer([(bulk, "bulk"), (piece, "piece")], by: servers)
    for round in 0..<rounds {
      for server in servers.rotated(by: round) {
        let cost = try Cost.of(server, ["get", server.wire, "\(server.port)", "bulk", "8", "1"])
        wall.add(cost.gigabytesPerSecond, to: server.name)
        cpu.add(cost.gigabytesPerCPUSecond, to: server.name)
      }
      for connections in [1024, 64, 1].rotated(by: round) {
        let cost = try Cost.of(
          servers[1],
          ["get", "splice", "\(servers[1].port)", "piece", "\(connections)", "\(1024 / connections)"])
        crowd.add(cost.cpuSeconds * 1e6 / 1024, to: "\(connections) connections")
      }
    }
    return [
      wall.ordered(as: servers), cpu.ordered(as: servers),
      crowd.ordered(by: [1024, 64, 1].map { "\($0) connections" }),
    ]
  }
}
