// SPDX-License-Identifier: Apache-2.0
// A client that does not speak the protocol: sends any bytes, and sees what the daemon does about it.

import Glibc

/// One TCP connection with nothing on top of it.
final class RawPeer {
  private let descriptor: Int32
  /// The connection ends with a reset, not with an orderly close.
  var diesAtEnd = false

  init(to port: Int) throws { descriptor = try Sockets.connected(to: port) }

  deinit { if diesAtEnd { Sockets.reset(descriptor) } else { close(descriptor) } }

  /// Sends what the daemon still takes; a daemon that has closed already is no error.
  func send(_ bytes: [UInt8]) {
    var done = 0
    while done < bytes.count {
      let step = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + done, $0.count - done, 0) }
      if step <= 0 { return }
      done += step
    }
  }

  /// The next `count` bytes; fewer when the daemon closes before that.
  ///
  /// - Throws: when they have not come within the time.
  func read(_ count: Int, within seconds: Double = patienceSeconds) throws -> [UInt8] {
    let deadline = Deadline(seconds: seconds)
    var heard = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      if deadline.hasPassed { throw Failure("\(filled) of \(count) bytes came from the daemon") }
      var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&interest, 1, 50) > 0 else { continue }
      let step = heard.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + filled, count - filled, 0) }
      if step <= 0 { return Array(heard[..<filled]) }
      filled += step
    }
    return heard
  }

  /// Whether something came, or the end, within the time.
  func hasInput(within seconds: Double) -> Bool {
    var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&interest, 1, Int32(1000 * seconds)) > 0
  }

  /// Everything that the daemon says until it closes; nil when it has not closed within the time.
  func readUntilClosed(within seconds: Double) -> [UInt8]? {
    let deadline = Deadline(seconds: seconds)
    var heard: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while !deadline.hasPassed {
      var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&interest, 1, 50) > 0 else { continue }
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count <= 0 { return heard }
      heard += buffer[..<count]
    }
    return nil
  }
}
