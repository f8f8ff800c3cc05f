// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a running process.

import Foundation

/// Fields of `/proc/PID/status`.
struct ProcessStatus {
  private var fields: [Substring: Substring] = [:]

  init(_ pid: pid_t, thread: pid_t? = nil) throws {
    let path = "/proc/\(pid)/task/\(thread ?? pid)/status"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { throw Failure("cannot read \(path)") }
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { fields[parts[0]] = parts[1] }
    }
  }

  /// The words of a field; none when the kernel does not have it.
  func words(_ field: String) -> [String] {
    fields[Substring(field)]?.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init) ?? []
  }

  /// Memory that is resident, in KiB.
  var residentKibibytes: Int { words("VmRSS").first.flatMap { Int($0) } ?? 0 }

  static func threads(of pid: pid_t) -> [pid_t] {
    Files.names(in: "/proc/\(pid)/task").compactMap { Int32($0.description) }
  }
}
