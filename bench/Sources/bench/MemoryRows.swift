// What the daemon takes: on disk, idle, and for each connection.

import Foundation

struct MemoryRows {
  let folder: Folder
  let isQuick: Bool

  func sizes() throws -> [Row] {
    func size(_ path: String) throws -> Double {
      let attributes = try FileManager.default.attributesOfItem(atPath: path)
      return Double((attributes[.size] as? Int) ?? 0) / 1024
    }
    var daemon = Row(
      "size of spliced, stripped", "KiB", moreIsBetter: false, goals: [Goal(against: nil, bound: .atMost, value: 1024)])
    daemon.add(try size(Tools.spliced), to: "splice")
    var client = Row("size of splice, stripped", "KiB", moreIsBetter: false)
    client.add(try size(Tools.splice), to: "splice")
    return [daemon, client]
  }

  func rows() throws -> [Row] {
    var resident = Row(
      "idle, resident", "KiB", moreIsBetter: false, goals: [Goal(against: nil, bound: .atMost, value: 3 * 1024)])
    var dirty = Row(
      "idle, private and dirty", "KiB", moreIsBetter: false, goals: [Goal(against: nil, bound: .atMost, value: 300)])
    let server = try Server.splice(folder)
    defer { server.stop() }
    resident.add(server.resident, to: server.name)
    dirty.add(server.privateDirty, to: server.name)
    return [resident, dirty]
  }
}
