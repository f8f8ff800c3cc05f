// Starting, watching and ending other programs.

import CBench
import Foundation
import Glibc

/// Why the benchmark cannot go on, in one sentence.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// One program that was started here, and the processes that it starts.
final class Program {
  let name: String
  let pid: pid_t
  private let input: Int32
  private let output: Int32
  private var buffered: [UInt8] = []
  private var hasEnded = false

  /// - Parameter errors: a file that gets its standard error; nil: ours.
  init(_ arguments: [String], environment: [String] = [], errors: String? = nil) throws {
    name = URL(fileURLWithPath: arguments[0]).lastPathComponent
    var inputPipe: [Int32] = [0, 0]
    var outputPipe: [Int32] = [0, 0]
    // Closed on exec: otherwise another child would keep this one's input open.
    guard cbench_pipe(&inputPipe) == 0, cbench_pipe(&outputPipe) == 0 else {
      throw BenchError("no pipes")
    }
    let errorFile = errors.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644) } ?? 2
    var argumentPointers = arguments.map { strdup($0) } + [nil]
    var environmentPointers = environment.map { strdup($0) } + [nil]
    defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
    pid = cbench_spawn(&argumentPointers, &environmentPointers, inputPipe[0], outputPipe[1], errorFile)
    close(inputPipe[0])
    close(outputPipe[1])
    if errors != nil { close(errorFile) }
    input = inputPipe[1]
    output = outputPipe[0]
    guard pid > 0 else { throw BenchError("cannot start \(name)") }
  }

  /// The next line of its output; nil at the end.
  func readLine() -> String? {
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      if let end = buffered.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffered.removeFirst(end + 1) }
        return String(decoding: buffered[..<end], as: UTF8.self)
      }
      let count = read(output, &chunk, chunk.count)
      if count <= 0 { return nil }
      buffered.append(contentsOf: chunk[..<count])
    }
  }

  /// Ends its input, waits for its end, and returns its status; 128 + the signal when one ended it.
  @discardableResult
  func wait() -> Int32 {
    if hasEnded { return 0 }
    hasEnded = true
    close(input)
    var chunk = [UInt8](repeating: 0, count: 4096)
    while read(output, &chunk, chunk.count) > 0 {}
    close(output)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
  }

  /// Asks it to end, and the processes that it started, with force after a while.
  func stop() {
    if hasEnded { return }
    let family = Meter.family(of: pid)
    kill(pid, SIGTERM)
    let deadline = Date().addingTimeInterval(10)
    while Date() < deadline {
      if waitid(P_PID, id_t(pid), nil, WEXITED | WNOHANG | WNOWAIT) == 0, !Meter.isAlive(pid) { break }
      usleep(5000)
    }
    for member in family.reversed() where Meter.isAlive(member) { kill(member, SIGKILL) }
    wait()
  }

  /// Runs it to its end.
  static func run(_ arguments: [String], environment: [String] = [], errors: String? = nil) throws {
    let program = try Program(arguments, environment: environment, errors: errors)
    let status = program.wait()
    guard status == 0 else { throw BenchError("\(arguments.joined(separator: " ")): status \(status)") }
  }
}
