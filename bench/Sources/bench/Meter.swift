// What processes have used, from /proc and their CPU clocks.

import CBench
import Foundation
import Glibc

enum Meter {
  private static func contents(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self)
  }

  /// The fields of /proc/PID/stat behind the name; the first is the state.
  private static func status(of pid: pid_t) -> [Substring]? {
    guard let text = contents("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    return text[text.index(after: end)...].split(separator: " ")
  }

  /// True unless it is gone or only waits to be reaped.
  static func isAlive(_ pid: pid_t) -> Bool {
    guard let fields = status(of: pid) else { return false }
    return fields[0] != "Z" && fields[0] != "X"
  }

  /// A process and all that descend from it, the process itself first.
  static func family(of root: pid_t) -> [pid_t] {
    var children: [pid_t: [pid_t]] = [:]
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    for pid in names.compactMap({ pid_t($0) }) {
      guard let fields = status(of: pid), let parent = pid_t(fields[1]) else { continue }
      children[parent, default: []].append(pid)
    }
    var result = [root]
    var next = 0
    while next < result.count {
      result += children[result[next]] ?? []
      next += 1
    }
    return result
  }

  /// CPU seconds, user and system, of a server: of its living processes to the nanosecond, and of those that
  /// it has reaped to the kernel's tick of 10 ms.
  static func cpuSeconds(of root: pid_t) -> Double {
    let tick = Double(sysconf(Int32(_SC_CLK_TCK)))
    return family(of: root).reduce(0) { sum, pid in
      guard let fields = status(of: pid) else { return sum }
      let reaped = (Double(fields[13]) ?? 0) + (Double(fields[14]) ?? 0)
      return sum + Double(max(0, cbench_cpu_nanoseconds(pid))) * 1e-9 + reaped / tick
    }
  }

  /// A field of smaps_rollup ("Rss", "Private_Dirty"), summed over a server's processes, in KiB.
  static func kibibytes(_ field: String, of root: pid_t) -> Double {
    family(of: root).reduce(0) { sum, pid in
      guard let text = contents("/proc/\(pid)/smaps_rollup") else { return sum }
      for line in text.split(separator: "\n") where line.hasPrefix(field + ":") {
        let words = line.split(separator: " ")
        return sum + (words.count > 1 ? Double(words[1]) ?? 0 : 0)
      }
      return sum
    }
  }
}
