// Runs the client in C and reads what it found.

import Foundation

/// A driver that has done its work and keeps its connections until `end`.
final class Driver {
  let figures: [String: Double]
  private let program: Program

  init(_ arguments: [String]) throws {
    program = try Program([Tools.driver] + arguments)
    guard let line = program.readLine(),
      let figures = try? JSONDecoder().decode([String: Double].self, from: Data(line.utf8))
    else {
      program.wait()
      throw BenchError("driver \(arguments.joined(separator: " ")): no result")
    }
    self.figures = figures
  }

  func end() { program.wait() }

  subscript(_ name: String) -> Double { figures[name] ?? .nan }

  static func run(_ arguments: [String]) throws -> Driver {
    let driver = try Driver(arguments)
    driver.end()
    return driver
  }
}

/// One transfer and what it cost the server.
struct Cost {
  let bytes: Double
  let seconds: Double
  let cpuSeconds: Double

  var gigabytesPerCPUSecond: Double { bytes / cpuSeconds / 1e9 }
  var gigabytesPerSecond: Double { bytes / seconds / 1e9 }

  /// The server's clocks are read while the client still holds its connections, so that no process of the
  /// server has ended.
  static func of(_ server: Server, _ arguments: [String]) throws -> Cost {
    let before = server.cpuSeconds
    let driver = try Driver(arguments)
    let after = server.cpuSeconds
    driver.end()
    return Cost(bytes: driver["bytes"], seconds: driver["seconds"], cpuSeconds: after - before)
  }

  /// For a protocol that only its own client speaks. Its processes at the server have ended, so the clock
  /// ticks of 10 ms.
  static func of(
    _ server: Server, bytes: Int, _ arguments: [String], environment: [String] = [], errors: String? = nil
  ) throws -> Cost {
    let before = server.cpuSeconds
    let began = Date()
    try Program.run(arguments, environment: environment, errors: errors)
    let seconds = Date().timeIntervalSince(began)
    // The daemon reaps the process of a connection a moment after the client has gone.
    let deadline = Date().addingTimeInterval(10)
    while server.isForking, Meter.family(of: server.program.pid).count > 1, Date() < deadline { usleep(1000) }
    return Cost(bytes: Double(bytes), seconds: seconds, cpuSeconds: server.cpuSeconds - before)
  }
}
