// SPDX-License-Identifier: Apache-2.0
// A link that breaks on demand: a TCP relay in this process that counts, cuts, holds, freezes and damages.

import Foundation
import Glibc

/// Relays connections from its own port to a daemon and does harm at chosen byte counts.
///
/// Byte counts are kept per direction and over all connections, so 'after N more bytes' means the same
/// whether the client comes back or not. Each fault strikes once.
///
/// - Ownership: one thread accepts; each connection has one thread (`CutProxyLink`) that owns its sockets.
final class CutProxy: Endpoint, @unchecked Sendable {
  enum Direction: Int, Sendable { case toServer, toClient }

  enum Fault: Sendable {
    /// Both sides are reset; what is on its way is lost.
    case reset
    /// Both sides see an orderly end after the bytes that have passed.
    case close
    /// Nothing more passes in this direction until `release`.
    case hold
    /// One bit of the next byte is turned.
    case flip
    /// The closure runs before any further byte passes.
    case call(@Sendable () -> Void)
  }

  struct Rule {
    let direction: Direction
    let byte: Int
    let fault: Fault
  }

  let port: Int
  private let listener: Int32
  private let stopPipe: (read: Int32, write: Int32)
  private let lock = NSLock()
  private let threads = DispatchGroup()

  private var targetPort: Int
  private var rules: [Rule] = []
  private var passedBytes = [0, 0]
  /// The same for each connection, in the order in which they came.
  private var passedBytesOfConnections: [[Int]] = []
  private var heldDirections: Set<Direction> = []
  private var frozen = false
  private var refusing = false
  private var faultCount = 0

  init(to daemon: some Endpoint) throws {
    targetPort = daemon.port
    (listener, port) = try Sockets.bound()
    stopPipe = try Descriptors.pipe()
    _ = fcntl(listener, F_SETFL, O_NONBLOCK)
    // Small buffers: little is on its way when a fault strikes, so that the counts mean something.
    for option in [SO_RCVBUF, SO_SNDBUF] { Sockets.set(option, 128 << 10, on: listener) }
    try checked(listen(listener, 128), "listen", on: "port \(port)")
    runThread { [self] in acceptConnections() }
  }

  // MARK: What the tests say

  /// Arms a fault for when `byte` more bytes have passed in `direction`.
  func strike(_ fault: Fault, after byte: Int, _ direction: Direction) {
    lock.withLock {
      rules.append(Rule(direction: direction, byte: passedBytes[direction.rawValue] + byte, fault: fault))
    }
  }

  func passed(_ direction: Direction) -> Int { lock.withLock { passedBytes[direction.rawValue] } }
  /// Over the connections after the first `count`, of which some may still deliver what a dead client has sent.
  func passed(_ direction: Direction, afterConnections count: Int) -> Int {
    lock.withLock { passedBytesOfConnections.dropFirst(count).reduce(0) { $0 + $1[direction.rawValue] } }
  }
  /// How many faults have struck.
  var strikes: Int { lock.withLock { faultCount } }
  /// How many connections the relay has accepted.
  var connections: Int { lock.withLock { passedBytesOfConnections.count } }

  /// Waits until a `hold` has struck; false when the process ended before that.
  func isHeld(before process: ChildProcess) -> Bool {
    let came = eventually { lock.withLock { !heldDirections.isEmpty } || !process.isRunning }
    return came && lock.withLock { !heldDirections.isEmpty }
  }

  func release() { lock.withLock { heldDirections = [] } }
  /// From now on nothing passes, not even the end of a connection: each side believes the other is there.
  func freeze() { lock.withLock { frozen = true } }
  func thaw() { lock.withLock { frozen = false } }
  /// From now on connections are reset as soon as they come.
  func refuse(_ on: Bool) { lock.withLock { refusing = on } }
  /// Later connections go to another port, for a daemon that was started anew.
  func redirect(to daemon: some Endpoint) { lock.withLock { targetPort = daemon.port } }
  /// Faults that have not struck are forgotten.
  func disarm() { lock.withLock { rules = [] } }

  /// Ends every connection and waits for the threads.
  func stop() {
    close(stopPipe.write)
    _ = threads.wait(timeout: .now() + patienceSeconds)
    close(stopPipe.read)
    close(listener)
  }

  // MARK: What the links ask

  var stopDescriptor: Int32 { stopPipe.read }
  var isFrozen: Bool { lock.withLock { frozen } }
  func isHeld(_ direction: Direction) -> Bool { lock.withLock { heldDirections.contains(direction) } }

  /// Lets `send` pass as many of `available` bytes as come before the next fault, and counts them.
  ///
  /// - Returns: what `send` returned: the bytes that went out, 0 when a fault is due first, -1 for an error.
  func pass(_ available: Int, _ direction: Direction, of connection: Int, _ send: (Int) -> Int) -> Int {
    lock.withLock {
      let next = rules.filter { $0.direction == direction }.map(\.byte).min() ?? Int.max
      let allowed = min(available, max(0, next - passedBytes[direction.rawValue]))
      if allowed == 0 { return 0 }
      let sent = send(allowed)
      if sent > 0 {
        passedBytes[direction.rawValue] += sent
        passedBytesOfConnections[connection][direction.rawValue] += sent
      }
      return sent
    }
  }

  /// The fault that is due in `direction` now, if any; it is taken off the list.
  func takeFault(_ direction: Direction, hasNextByte: Bool) -> Fault? {
    lock.withLock {
      let due = rules.firstIndex {
        guard $0.direction == direction, $0.byte <= passedBytes[direction.rawValue] else { return false }
        if case .flip = $0.fault { return hasNextByte }
        return true
      }
      guard let due else { return nil }
      let fault = rules.remove(at: due).fault
      if case .hold = fault { heldDirections.insert(direction) }
      faultCount += 1
      return fault
    }
  }

  private func runThread(_ body: @escaping @Sendable () -> Void) {
    threads.enter()
    Thread.detachNewThread { [threads] in
      body()
      threads.leave()
    }
  }

  private func acceptConnections() {
    while true {
      var interest = [
        pollfd(fd: listener, events: Int16(POLLIN), revents: 0), pollfd(fd: stopDescriptor, events: 0, revents: 0),
      ]
      guard poll(&interest, 2, -1) > 0 else { continue }
      if interest[1].revents != 0 { return }
      guard let client = Descriptors.accept(listener) else { continue }
      let (target, number) = lock.withLock {
        passedBytesOfConnections.append([0, 0])
        return (refusing ? nil : targetPort, passedBytesOfConnections.count - 1)
      }
      if let target, let server = try? Sockets.connected(to: target) {
        runThread { [self] in
          var link = CutProxyLink(proxy: self, number: number, client: client, server: server)
          link.run()
        }
      } else {
        Sockets.reset(client)
      }
    }
  }
}
