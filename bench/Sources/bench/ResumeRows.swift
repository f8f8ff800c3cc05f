// How long it takes from connecting to the first new byte.

import Foundation
import Glibc

struct ResumeRows {
  let folder: Folder
  let rounds: Int
  let isQuick: Bool

  private struct Case {
    let name: String
    let held: Int
    /// A source with more than that; zeros, which take no room and are as much work as anything else.
    let source: String
    let upload: String
    let download: String
  }

  /// What an upload that goes on sends each time.
  private static let step = 8 << 20

  func rows() throws -> [Row] {
    let sizes = isQuick ? [4 << 20, 4 << 30] : [8 << 20, 1 << 30, 16 << 30]
    let server = try Server.splice(folder)
    defer { server.stop() }
    let cases = try sizes.map { held in
      let name = held < 1 << 30 ? "\(held >> 20) MiB" : "\(held >> 30) GiB"
      let source = try folder.makeSparse("partial\(held)", bytes: held + (rounds + 8) * Self.step)
      try server.offer(source, as: "get\(held)", in: folder)
      _ = try Driver.run(["part", "\(server.port)", source, "put\(held)", "\(held)"])
      return Case(name: name, held: held, source: source, upload: "put\(held)", download: "get\(held)")
    }
    let growth = isQuick ? 2.0 : 1.5
    let goals =
      [Goal(against: nil, bound: .atMost, value: 20), Goal(against: cases[0].name, bound: .atMost, value: growth)]
    var put = Row("resume an upload", "ms from connect to the first new byte sent", moreIsBetter: false, goals: goals)
    var stored = Row("resume an upload, 8 MiB on", "ms from connect to the first acknowledgement of new bytes", moreIsBetter: false)
    var get = Row("resume a download", "ms from connect to the first new byte here", moreIsBetter: false, goals: goals)
    for _ in 0..<rounds {
      for item in cases.reversed() {
        let up = try Driver.run(["resume-put", "\(server.port)", item.source, item.upload])
        put.add(up["first_byte_ms"], to: item.name)
        stored.add(up["acknowledged_ms"], to: item.name)
        let down = try Driver.run([
          "resume-get", "\(server.port)", item.source, item.download, "\(item.held)", "5",
        ])
        get.add(down["first_byte_ms"], to: item.name)
      }
    }
    for item in cases { unlink(item.source) }
    return [put, stored, get]
  }
}
