// What the server has to say: lines on standard error for the service manager, or whatever the program that
// embeds it does with them.

internal import SpliceBase
internal import SpliceSystem
internal import Synchronization

/// The priorities of syslog(3) that a daemon of this kind has a use for.
package enum LogLevel: UInt8, Sendable, Comparable {
  case error = 3
  case warning = 4
  case notice = 5
  case info = 6
  case debug = 7

  package static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }

  package init?(name: [UInt8]) {
    if name == "error" {
      self = .error
    } else if name == "warning" {
      self = .warning
    } else if name == "notice" {
      self = .notice
    } else if name == "info" {
      self = .info
    } else if name == "debug" {
      self = .debug
    } else {
      return nil
    }
  }
}

/// Writes log lines. Any thread: a line is one write, or one call.
package final class Log: Sendable {
  private let limit: Atomic<UInt8>
  private let sink: (@Sendable (LogLevel, [UInt8]) -> Void)?

  /// - Parameter sink: gets each line, without its end, from any thread; nil: standard error gets it.
  package init(threshold: LogLevel, sink: (@Sendable (LogLevel, [UInt8]) -> Void)? = nil) {
    limit = Atomic(threshold.rawValue)
    self.sink = sink
  }

  /// Lines above this are not written.
  package var threshold: LogLevel {
    get { LogLevel(rawValue: limit.load(ordering: .relaxed)) ?? .info }
    set { limit.store(newValue.rawValue, ordering: .relaxed) }
  }

  /// Writes what `body` appends, behind `<N>spliced: ` (as systemd reads priorities) where it goes to standard
  /// error. `body` is not called when nobody would see it.
  package func write(_ level: LogLevel, _ body: (inout [UInt8]) -> Void) {
    guard level <= threshold else { return }
    var line: [UInt8] = []
    if let sink {
      body(&line)
      return sink(level, line)
    }
    line.append("<")
    line.append(decimal: UInt64(level.rawValue))
    line.append(">spliced: ")
    body(&line)
    line.append("\n")
    StandardError.write(line)
  }
}

extension Array where Element == UInt8 {
  /// Appends bytes that somebody else chose so that they stay on one line and cannot move a cursor.
  package mutating func append(quoting bytes: [UInt8]) {
    append(UInt8(ascii: "'"))
    for byte in bytes {
      if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\") {
        append("\\x")
        append(hexOf: CollectionOfOne(byte))
      } else {
        append(byte)
      }
    }
    append(UInt8(ascii: "'"))
  }
}
