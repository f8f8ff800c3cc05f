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
      try server.offer(source, as: "get\(held)")
      _ = try Driver.run(["part", "\(server.port)", source, "put\(held)", "\(held)"])
      return Case(name: name, held: held, source: source, upload: "put\(held)", download: "get\(held)")
    }
    let growth = isQuick ? 2.0 : 1.5
    let goals =
      [Goal(bound: .atMost, value: 20), Goal(against: cases[0].name, bound: .atMost, value: growth)]
    var put = Row(
      "resume an upload", "ms from connect to the first new byte sent", moreIsBetter: false, goals: goals)
    var stored = Row(
      "resume an upload, 8 MiB on", "ms from connect to the first acknowledgement of new bytes",
      moreIsBetter: false)
    var get = Row(
      "resume a download", "ms from connect to the first new byte here", moreIsBetter: false, goals: goals)
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
    let others = isQuick ? [] : [try theOthers(cases)]
    for item in cases { unlink(item.source) }
    return [put, stored, get] + others
  }

  /// What the same costs those who read the prefix again, or do not look at it at all.
  private func theOthers(_ cases: [Case]) throws -> Row {
    var row = Row(
      "go on after a partial, by other means", "ms, the whole run with 8 MiB missing", moreIsBetter: false,
      note: "16 GiB once only; curl -C - proves nothing about the prefix; MD5: one end's pass over the prefix"
    )
    row.hasRatios = false
    let (rsync, nginx) = (try Server.rsync(folder), try Server.nginx(folder))
    defer { for server in [rsync, nginx] { server.stop() } }
    func measure(_ name: String, _ command: [String]) throws {
      let began = Date()
      try Program.run(command)
      row.add(1000 * Date().timeIntervalSince(began), to: name)
    }
    for item in cases {
      let source = try folder.makeSparse("others", bytes: item.held + Self.step)
      try nginx.offer(source, as: "others")
      defer { unlink(source) }
      for _ in 0..<(item.held > 4 << 30 ? 1 : rounds) {
        let partial = try folder.makeSparse("rsync/others", bytes: item.held)
        try measure(
          "rsync --append-verify, \(item.name)",
          ["rsync", "--append-verify", source, "rsync://127.0.0.1:\(rsync.port)/data/others"])
        unlink(partial)
        let copy = try folder.makeSparse("copy", bytes: item.held)
        try measure("MD5 of the prefix, \(item.name)", ["md5sum", copy])
        try measure(
          "curl -C - from nginx, \(item.name)",
          ["curl", "-s", "-C", "-", "-o", copy, "http://127.0.0.1:\(nginx.port)/others"])
        unlink(copy)
      }
    }
    return row
  }
}
