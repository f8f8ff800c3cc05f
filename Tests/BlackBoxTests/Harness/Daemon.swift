// SPDX-License-Identifier: Apache-2.0
// A running spliced on a folder of its own.

import Glibc

/// Starts the daemon on a free port, and anew on the same folder after it was killed.
final class Daemon: Endpoint, @unchecked Sendable {
  let root: RawString
  private let arguments: [RawString]
  private let prefix: [RawString]
  private let portFile: RawString
  private(set) var process: ChildProcess
  private(set) var port = 0

  /// Starts the daemon and waits until its port file is there.
  ///
  /// - Parameter prefix: a command to start it under, such as one that enters another mount namespace.
  init(
    root: RawString, portFile: RawString, listen: RawString, _ arguments: [RawString], under prefix: [RawString]
  ) throws {
    self.root = root
    self.portFile = portFile
    self.prefix = prefix
    self.arguments = ["--listen", listen, "--port-file", portFile] + arguments + [root]
    process = try Self.launch(prefix, self.arguments)
    port = try awaitPort()
  }

  /// The file of the journal or of the data of every partial upload.
  func staged(_ suffix: RawString = ".data") -> [RawString] {
    let stage = root / ".splice/stage"
    return Files.names(in: stage).filter { $0.hasSuffix(suffix) }.map { stage / $0 }
  }

  /// The same folder, a new process, a port that may differ.
  func restart() throws {
    process.killNow()
    if Files.exists(portFile) { try Files.remove(portFile) }
    process = try Self.launch(prefix, arguments)
    port = try awaitPort()
  }

  /// Asks the daemon to stop, as an administrator does.
  func terminate() throws -> Ending {
    process.send(SIGTERM)
    return try process.wait()
  }

  private static func launch(_ prefix: [RawString], _ arguments: [RawString]) throws -> ChildProcess {
    try ChildProcess(prefix + Binaries.daemon() + arguments)
  }

  private func awaitPort() throws -> Int {
    let came = eventually { Files.exists(portFile) || !process.isRunning }
    guard came, process.isRunning else {
      let ending = process.killNow().map(\.description) ?? "still running"
      throw Failure("spliced did not open a port (\(ending)): \(process.standardError)")
    }
    // The number at the end of the first line, so that 'ADDRESS:PORT' reads as well as 'PORT'.
    let text = String(decoding: try Files.read(portFile), as: UTF8.self)
    guard let line = text.split(separator: "\n").first,
      let number = line.split(separator: ":").last, let port = Int(number), port > 0
    else { throw Failure("the port file \(portFile) does not hold a port: \(text)") }
    return port
  }
}
