// SPDX-License-Identifier: Apache-2.0
// A server that a test writes itself, to be as wrong, as hostile or as slow as it likes.

import Foundation
import Glibc

/// Accepts connections on a port of its own and hands each to a closure, on a thread of its own.
final class FakeServer: Endpoint, @unchecked Sendable {
  let port: Int
  private let listener: Int32
  private let serve: @Sendable (FakeConnection) -> Void
  private let lock = NSLock()
  private let threads = DispatchGroup()
  private var isStopping = false
  private var connections: [FakeConnection] = []

  init(_ serve: @escaping @Sendable (FakeConnection) -> Void) throws {
    self.serve = serve
    (listener, port) = try Sockets.bound()
    _ = fcntl(listener, F_SETFL, O_NONBLOCK)
    try checked(listen(listener, 16), "listen", on: "port \(port)")
    run { [self] in acceptConnections() }
  }

  /// Closes everything and waits for the threads.
  func stop() {
    lock.withLock {
      isStopping = true
      for connection in connections { connection.close() }
    }
    threads.wait()
    close(listener)
  }

  private func run(_ body: @escaping @Sendable () -> Void) {
    threads.enter()
    Thread.detachNewThread { [threads] in
      body()
      threads.leave()
    }
  }

  private func acceptConnections() {
    while !lock.withLock({ isStopping }) {
      var interest = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      guard poll(&interest, 1, 20) > 0, let descriptor = Descriptors.accept(listener) else { continue }
      let connection = FakeConnection(descriptor)
      let isWanted = lock.withLock {
        connections.append(connection)
        return !isStopping
      }
      guard isWanted else { return connection.close() }
      run { [serve] in
        serve(connection)
        connection.close()
      }
    }
  }
}

/// The server's end of one connection. Ends quietly when the client is gone.
final class FakeConnection: @unchecked Sendable {
  private let descriptor: Int32
  private let lock = NSLock()
  private var isClosed = false

  init(_ descriptor: Int32) { self.descriptor = descriptor }
  deinit { Glibc.close(descriptor) }

  /// The peer sees the end; whoever reads here does, too.
  func close() {
    lock.withLock {
      if !isClosed { shutdown(descriptor, Int32(SHUT_RDWR)) }
      isClosed = true
    }
  }

  func send(_ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      let step = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + done, $0.count - done, Int32(MSG_NOSIGNAL))
      }
      if step <= 0 { return }
      done += step
    }
  }

  func send(_ frame: Frame) { send(frame.encoded()) }

  /// Says what a server says first.
  func greet(version: UInt16 = 1, idle: UInt32 = 0) {
    send(WirePeer.magic + Frame(.hello, stream: 0, WirePeer.hello(version: version, idle: idle)).encoded())
  }

  /// The next frame; nil when the client has closed. The client's magic is passed over.
  func next() -> Frame? {
    guard var header = read(16) else { return nil }
    if Array(header[..<4]) == WirePeer.magic {
      guard let rest = read(4) else { return nil }
      header = Array(header[4...]) + rest
    }
    let length = header[4..<8].reduce(0) { $0 << 8 | Int($1) }
    guard let body = read(length) else { return nil }
    let stream = header[8...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    return Frame(type: header[0], stream: stream, flags: header[1], body)
  }

  /// The next frame of this kind.
  func next(_ kind: Frame.Kind) -> Frame? {
    while let frame = next() {
      if frame.kind == kind { return frame }
    }
    return nil
  }

  private func read(_ count: Int) -> [UInt8]? {
    var heard = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let step = heard.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + filled, count - filled, 0) }
      if step <= 0 { return nil }
      filled += step
    }
    return heard
  }
}
