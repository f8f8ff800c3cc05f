// SPDX-License-Identifier: Apache-2.0
// One running program: what it printed, how it ended, and the means to end it.

import Foundation
import Glibc

/// How a process ended.
enum Ending: Equatable, CustomStringConvertible {
  case exited(Int32)
  case signaled(Int32)

  init(waitStatus: Int32) {
    self = waitStatus & 0x7f == 0 ? .exited(waitStatus >> 8 & 0xff) : .signaled(waitStatus & 0x7f)
  }

  var description: String {
    switch self {
    case .exited(let status): "exit status \(status)"
    case .signaled(let number): "signal \(number)"
    }
  }
}

/// A child of the test process, with its standard output and error captured.
///
/// - Ownership: a thread of its own drains both pipes and reaps the process, so that a full pipe never
///   stops the program and a signal never goes to a process that has taken over the number.
final class ChildProcess: @unchecked Sendable {
  let pid: pid_t
  let commandLine: String

  private let condition = NSCondition()
  private var ending: Ending?
  private var captured: [Int32: [UInt8]] = [:]
  /// Open while the child may still read from it; closing it tells the child that input has ended.
  private var inputPipe: Int32?

  /// - Parameter hasInput: gives the child a pipe as standard input that stays open until `closeInput`.
  /// - Parameter inherited: one descriptor at most, which becomes the child's number 3.
  init(
    _ arguments: [RawString], environment: [RawString]? = nil, hasInput: Bool = false, inherited: [Int32] = []
  ) throws {
    commandLine = arguments.map(\.description).joined(separator: " ")
    let output = try Descriptors.pipe()
    let error = try Descriptors.pipe()
    let input = hasInput ? try Descriptors.pipe() : nil
    defer { for end in [output.write, error.write, input?.read].compactMap({ $0 }) { close(end) } }
    let guardian = Guardian.shared
    pid = try spawnProcess(
      arguments, environment: environment, standardInput: input?.read,
      standardOutput: output.write, standardError: error.write, inherited: inherited)
    guardian.watch(pid)
    inputPipe = input?.write
    Thread.detachNewThread { [self] in collect(from: [output.read, error.read], as: [1, 2]) }
  }

  var isRunning: Bool { condition.withLock { ending == nil } }
  var standardOutput: [UInt8] { condition.withLock { captured[1] ?? [] } }
  var standardError: String { condition.withLock { String(decoding: captured[2] ?? [], as: UTF8.self) } }

  /// Sends a signal, unless the process has been reaped already.
  func send(_ number: Int32) {
    condition.withLock { if ending == nil { kill(pid, number) } }
  }

  func closeInput() {
    condition.withLock {
      if let inputPipe { close(inputPipe) }
      inputPipe = nil
    }
  }

  /// Waits for the end of the process.
  ///
  /// - Throws: when the time is over, after killing the process; the failure shows what it printed.
  @discardableResult
  func wait(seconds: Double = patienceSeconds) throws -> Ending {
    let limit = Deadline(seconds: seconds).date
    condition.lock()
    while ending == nil, condition.wait(until: limit) {}
    let result = ending
    condition.unlock()
    if let result { return result }
    _ = killNow()
    throw Failure(
      "still running after \(seconds) s: \(commandLine)\nstandard output: "
        + "\(String(decoding: standardOutput, as: UTF8.self))\nstandard error: \(standardError)")
  }

  /// Kills the process as a power cut would, and waits until it is gone.
  @discardableResult
  func killNow() -> Ending? {
    send(SIGKILL)
    condition.lock()
    defer { condition.unlock() }
    let limit = Deadline(seconds: patienceSeconds).date
    while ending == nil, condition.wait(until: limit) {}
    return ending
  }

  private func collect(from descriptors: [Int32], as names: [Int32]) {
    var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var buffer = [UInt8](repeating: 0, count: 65536)
    while polls.contains(where: { $0.fd >= 0 }) {
      guard poll(&polls, nfds_t(polls.count), -1) > 0 else { continue }
      for index in polls.indices where polls[index].revents != 0 {
        let count = read(polls[index].fd, &buffer, buffer.count)
        if count > 0 {
          condition.withLock { captured[names[index], default: []] += buffer[..<count] }
        } else {
          close(polls[index].fd)
          polls[index].fd = -1
        }
      }
    }
    // Waits without reaping first, so that `send` can hold the lock against a reused number.
    var information = siginfo_t()
    while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) == -1 && errno == EINTR {}
    condition.withLock {
      var status: Int32 = 0
      waitpid(pid, &status, 0)
      ending = Ending(waitStatus: status)
      Guardian.shared.forget(pid)
      condition.broadcast()
    }
    closeInput()
  }
}
