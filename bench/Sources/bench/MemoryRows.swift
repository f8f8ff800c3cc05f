// What the daemon takes: on disk, idle, and for each connection.

import Foundation
import Glibc

struct MemoryRows {
  let folder: Folder
  let isQuick: Bool

  func sizes() throws -> [Row] {
    func size(_ path: String) throws -> Double {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      return Double((attributes[.size] as? Int) ?? 0) / 1024
    }
    var daemon = Row(
      "size of spliced, stripped", "KiB", moreIsBetter: false, goals: [Goal(bound: .atMost, value: 1024)])
    daemon.add(try size(Tools.spliced), to: "splice")
    var client = Row("size of splice, stripped", "KiB", moreIsBetter: false)
    client.add(try size(Tools.splice), to: "splice")
    return [daemon, client]
  }

  func rows() throws -> [Row] {
    var resident = Row(
      "idle, resident", "KiB", moreIsBetter: false, goals: [Goal(bound: .atMost, value: 3 * 1024)])
    var dirty = Row(
      "idle, private and dirty", "KiB", moreIsBetter: false, goals: [Goal(bound: .atMost, value: 300)])
    var idle = Row(
      "each idle connection", "KiB private and dirty", moreIsBetter: false,
      goals: [Goal(bound: .atMost, value: 2)],
      note: "at 5,000 connections; at 200 for vsftpd and rsync, which start processes for each")
    var stalled = Row(
      "each stalled download", "KiB private and dirty", moreIsBetter: false,
      goals: [Goal(bound: .atMost, value: 8)], note: "at 100 downloads whose client does not read")
    var servers = [try Server.splice(folder)]
    if !isQuick {
      servers += [try Server.nginx(folder), try Server.vsftpd(folder), try Server.rsync(folder)]
    }
    defer { for server in servers { server.stop() } }
    for server in servers {
      resident.add(server.resident, to: server.name)
      dirty.add(server.privateDirty, to: server.name)
    }
    if isQuick { return [resident, dirty] }
    let file = try folder.makeRandom("64MiB", bytes: 64 << 20)
    for server in servers { try server.offer(file, as: "file") }
    for server in servers {
      // Only rsync's own client can begin a download there.
      if server.wire != "rsync" {
        _ = try Driver.run(["get", server.wire, "\(server.port)", "file", "1", "1"])
        stalled.add(
          try growth(of: server, by: 100) { ["stall", server.wire, "\(server.port)", "file", "\($0)"] },
          to: server.name)
      }
      idle.add(
        try growth(of: server, by: server.isForking ? 200 : 5000) { count in
          ["idle", server.wire == "rsync" ? "bare" : server.wire, "\(server.port)", "\(count)"]
        }, to: server.name)
    }
    return [resident, dirty, idle, stalled, try crowd()]
  }

  /// KiB for each of `count` connections that the driver makes and holds.
  private func growth(of server: Server, by count: Int, _ arguments: (Int) -> [String]) throws -> Double {
    let before = server.privateDirty
    let driver = try Driver(arguments(count))
    defer { driver.end() }
    // The last processes and buffers come a moment after the last connection.
    usleep(1_000_000)
    return (server.privateDirty - before) / Double(count)
  }

  /// All at once: 5,000 idle connections, and 1,000 downloads that all have to end well.
  private func crowd() throws -> Row {
    var row = Row(
      "5,000 connections and 1,000 downloads of 1 MiB", "KiB private and dirty afterwards",
      moreIsBetter: false,
      goals: [Goal(bound: .atMost, value: 16 * 1024)], note: "with --memory 16MiB; no download failed")
    let server = try Server.splice(folder)
    defer { server.stop() }
    try server.offer(try folder.makeRandom("1MiB", bytes: 1 << 20), as: "file")
    let crowd = try Driver(["idle", server.wire, "\(server.port)", "5000"])
    let downloads = try Driver(["get", server.wire, "\(server.port)", "file", "1000", "1"])
    row.add(server.privateDirty, to: server.name)
    downloads.end()
    crowd.end()
    return row
  }
}
