// SPDX-License-Identifier: Apache-2.0
// What the daemon may cost a small board: bytes on its flash, memory at rest, time to start.

import Foundation
import Glibc
import Testing

/// One way to build the daemon, and what it may cost.
struct Budget: Sendable, CustomTestStringConvertible {
  let name: String
  let folder: RawString
  let bytesMax: Int
  let residentKibibytesMax: Int

  var testDescription: String { name }
  var daemon: RawString { folder / "spliced" }

  static let all = [
    Budget(
      name: "dynamic", folder: Binaries.sources / "build/bin", bytesMax: 768 << 10, residentKibibytesMax: 2560),
    Budget(name: "static", folder: Binaries.staticFolder, bytesMax: 2 << 20, residentKibibytesMax: 1536),
  ]

  static let startMillisecondsMax = 10.0
}

/// The builds of this machine; under an emulator the figures would be the emulator's.
@Suite(.enabled(if: Binaries.runner.isEmpty)) struct BudgetTests {
  /// The file that is installed is stripped and small.
  @Test(arguments: Budget.all)
  func fileIsSmall(_ budget: Budget) throws {
    let size = try #require(Files.size(of: budget.daemon), "\(budget.daemon) is missing: run 'make board'")
    #expect(size <= budget.bytesMax)
    let sections = try ChildProcess(["readelf", "--sections", "--wide", budget.daemon])
    #expect(try sections.wait() == .exited(0))
    let names = String(decoding: sections.standardOutput, as: UTF8.self)
    #expect(names.contains(".text") && !names.contains(".symtab") && !names.contains(".debug_"))
  }

  /// At rest, after the sweep of the start has run on the pool and a few ticks have passed.
  @Test(arguments: Budget.all)
  func idleDaemonTakesLittleMemory(_ budget: Budget) throws {
    try withTrial { trial in
      let (process, _) = try start(budget, root: trial.newFolder("root"), port: trial.newPath("port"))
      #expect(eventually { ProcessStatus.threads(of: process.pid).count > 1 }, "\(process.standardError)")
      var resident = 0
      for _ in 0..<15 {
        poll(nil, 0, 100)
        resident = max(resident, try ProcessStatus(process.pid).residentKibibytes)
      }
      #expect(resident > 0 && resident <= budget.residentKibibytesMax)
      process.send(SIGTERM)
      #expect(try process.wait() == .exited(0))
    }
  }

  /// From the start of the process to the port file, the median of eleven starts. A machine that does other
  /// things too only makes it slower, so the first quiet moment counts.
  @Test(arguments: Budget.all)
  func daemonListensSoon(_ budget: Budget) throws {
    try withTrial { trial in
      let (root, port) = (try trial.newFolder("root"), trial.newPath("port"))
      var median = Double.infinity
      let isInTime = try eventually {
        var times: [Double] = []
        for _ in 0..<11 {
          let (process, milliseconds) = try start(budget, root: root, port: port)
          process.send(SIGTERM)
          #expect(try process.wait() == .exited(0))
          try Files.remove(port)
          times.append(milliseconds)
        }
        median = min(median, times.sorted()[5])
        return median <= Budget.startMillisecondsMax
      }
      #expect(isInTime, "\(median) ms")
    }
  }

  /// Starts the daemon and looks for its port file without a pause.
  private func start(_ budget: Budget, root: RawString, port: RawString) throws -> (ChildProcess, Double) {
    let begin = DispatchTime.now().uptimeNanoseconds
    let process = try ChildProcess(
      [budget.daemon, "--listen", "127.0.0.1:0", "--port-file", port, "--log", "error", root])
    let limit = Deadline(seconds: patienceSeconds)
    while !Files.exists(port), process.isRunning, !limit.hasPassed {}
    let milliseconds = Double(DispatchTime.now().uptimeNanoseconds - begin) / 1e6
    guard Files.exists(port) else { throw Failure("spliced did not start: \(process.standardError)") }
    return (process, milliseconds)
  }
}
