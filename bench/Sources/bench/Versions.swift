// What ran, and on what.

import Foundation

enum Versions {
  static func all(isQuick: Bool) -> [String: String] {
    var result = [
      "kernel": firstLine(["uname", "-srm"]),
      "cpu": cpu(),
      "spliced": firstLine([Tools.spliced, "--version"]),
    ]
    if !isQuick {
      for package in ["nginx", "vsftpd", "rsync", "lftp", "curl", "valgrind", "libuv1", "libxxhash0"] {
        result[package] = firstLine(["dpkg-query", "-W", "-f", "${Version}\n", package])
      }
    }
    return result
  }

  private static func firstLine(_ arguments: [String]) -> String {
    guard let program = try? Program(arguments, errors: "/dev/null") else { return "none" }
    defer { program.wait() }
    return program.readLine() ?? "none"
  }

  private static func cpu() -> String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let models = text.split(separator: "\n").filter { $0.hasPrefix("model name") || $0.hasPrefix("Model") }
    let model = models.first?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    return "\(ProcessInfo.processInfo.processorCount) × \(model ?? "unknown")"
  }
}
