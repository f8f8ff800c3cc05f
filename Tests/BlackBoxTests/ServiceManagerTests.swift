// SPDX-License-Identifier: Apache-2.0
// The test as the daemon's service manager: it hands over sockets and listens to what it is told.

import Glibc
import Testing

@Suite struct ServiceManagerTests {
  /// READY once it serves, WATCHDOG while it lives, STOPPING when it ends, in this order.
  @Test func managerHearsHowTheDaemonIs() throws {
    try withTrial { trial in
      let inbox = try Inbox(at: trial.newPath("notify"))
      defer { inbox.close() }
      let daemon = try trial.daemon(under: ["env", "NOTIFY_SOCKET=\(inbox.path)", "WATCHDOG_USEC=100000"])
      #expect(inbox.next() == "READY=1\n", trial.note())
      // The first follows at once; the next ones only if the loop goes round.
      for _ in 0..<4 { #expect(inbox.next() == "WATCHDOG=1\n", trial.note()) }
      #expect(try daemon.terminate() == .exited(0), trial.note())
      var last: String?
      while let next = inbox.next(within: 0) { last = next }
      #expect(last == "STOPPING=1\n", trial.note())
    }
  }

  /// A watchdog that is meant for another process does not count: there is nothing to hear in between.
  @Test func watchdogOfAnotherProcessIsLeftAlone() throws {
    try withTrial { trial in
      let inbox = try Inbox(at: trial.newPath("notify"))
      defer { inbox.close() }
      let daemon = try trial.daemon(
        under: ["env", "NOTIFY_SOCKET=\(inbox.path)", "WATCHDOG_USEC=1000", "WATCHDOG_PID=1"])
      #expect(inbox.next() == "READY=1\n", trial.note())
      #expect(try daemon.terminate() == .exited(0), trial.note())
      #expect(inbox.next() == "STOPPING=1\n", trial.note())
    }
  }

  /// A manager that cannot be reached is named: it would take the daemon for one that never came up.
  @Test func unreachableManagerIsNamed() throws {
    try withTrial { trial in
      let path = trial.newPath("nobody listens")
      let arguments = ["--listen", "127.0.0.1:0", try trial.newFolder("root")]
      let process = try ChildProcess(["env", "NOTIFY_SOCKET=\(path)"] + Binaries.daemon() + arguments)
      #expect(try process.wait() == .exited(1), trial.note(process.standardError))
      #expect(process.standardError.contains(path.description), trial.note(process.standardError))
    }
  }

  /// Serves on the socket that it was handed, and on no other.
  @Test func inheritedSocketIsServed() throws {
    try withTrial { trial in
      let (socket, port) = try Sockets.bound()
      defer { close(socket) }
      try checked(listen(socket, 8), "listen", on: "a loopback port")
      let root = try trial.newFolder("root")
      let process = try start(trial, with: socket, ["--port-file", trial.newPath("port"), root])
      let run = try trial.client().transfer(
        "put", retryFor: 30, [trial.sample(2 * blockSize + 5), "splice://127.0.0.1:\(port)/file.bin"])
      #expect(run.status == 0, trial.note("\(run)\n\(process.standardError)"))
      #expect(Files.size(of: root / "file.bin") == 2 * blockSize + 5, trial.note(process.standardError))
      #expect(
        eventually { process.standardError.contains("on 127.0.0.1:\(port)\n") }, trial.note(process.standardError))
      #expect(!process.standardError.contains(":7420"), trial.note(process.standardError))
      process.send(SIGTERM)
      #expect(try process.wait() == .exited(0), trial.note(process.standardError))
    }
  }

  /// Something else in the place of a socket is refused, not read from.
  @Test func otherDescriptorsAreRefused() throws {
    try withTrial { trial in
      let pipe = try Descriptors.pipe()
      defer { for end in [pipe.read, pipe.write] { close(end) } }
      let process = try start(trial, with: pipe.read, [trial.newFolder("root")])
      #expect(try process.wait() == .exited(1), trial.note(process.standardError))
      #expect(process.standardError.split(separator: "\n").count == 1, trial.note(process.standardError))
      #expect(process.standardError.contains("LISTEN_FDS"), trial.note(process.standardError))
    }
  }

  /// Starts the daemon as systemd does, with a descriptor as number 3.
  private func start(_ trial: Trial, with descriptor: Int32, _ arguments: [RawString]) throws -> ChildProcess {
    let activation: [RawString] = ["sh", "-c", "LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"", "sh"]
    return try ChildProcess(activation + Binaries.daemon() + arguments, inherited: [descriptor])
  }
}

/// A socket for datagrams, as sd_notify(3) sends them.
private struct Inbox {
  let path: RawString
  private let descriptor: Int32

  init(at path: RawString) throws {
    self.path = path
    descriptor = try Descriptors.withNoneInherited {
      let descriptor = try checked(
        socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0), "socket", on: path)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      guard path.bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        throw Failure("\(path) is too long for a socket; choose a shorter TMPDIR")
      }
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.bytes) }
      _ = try withUnsafePointer(to: &address) {
        try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          try checked(bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)), "bind", on: path)
        }
      }
      return descriptor
    }
  }

  func close() { Glibc.close(descriptor) }

  /// The next datagram; nil when none comes in time.
  func next(within seconds: Double = patienceSeconds) -> String? {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&wait, 1, Int32(seconds * 1000)) > 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}
