// One client of the daemon, whichever protocol it speaks.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV
package import SpliceWire

/// Why a client is gone.
package enum SessionEnd: Sendable {
  case closedByPeer
  /// The link broke: what the system said, or the peer's last message.
  case broken(StaticString)
  case kicked
  case idle
  /// There were too many.
  case limit
  case shutdown
  /// It broke the rules.
  case refused(ErrorCode)

  package enum Kind: Int, CaseIterable {
    case closedByPeer
    case broken
    case kicked
    case idle
    case limit
    case shutdown
    case refused

    /// For programs that count.
    package var name: StaticString {
      switch self {
      case .closedByPeer: "closed_by_peer"
      case .broken: "broken"
      case .kicked: "kicked"
      case .idle: "idle"
      case .limit: "limit"
      case .shutdown: "shutdown"
      case .refused: "refused"
      }
    }
  }

  package var kind: Kind {
    switch self {
    case .closedByPeer: .closedByPeer
    case .broken: .broken
    case .kicked: .kicked
    case .idle: .idle
    case .limit: .limit
    case .shutdown: .shutdown
    case .refused: .refused
    }
  }

  package var sentence: StaticString {
    switch self {
    case .closedByPeer: "closed by the peer"
    case .broken(let reason): reason
    case .kicked: "kicked by the administrator"
    case .idle: "it was silent for too long"
    case .limit: "there are as many clients as are allowed"
    case .shutdown: "the daemon is stopping"
    case .refused(let code): code.sentence
    }
  }
}

/// A client with an id, in its worker's table until its socket is closed and its files are let go of.
///
/// Belongs to its worker's thread.
protocol Session: AnyObject {
  /// Never used twice by one daemon.
  var id: UInt64 { get }
  var service: Service { get }
  var worker: Worker { get }
  /// Nil for a local socket.
  var peerAddress: SocketAddress? { get }
  /// The peer's address, for people.
  var peer: [UInt8] { get }
  /// What an administrator sees.
  var entry: SessionEntry { get }

  /// Keeps what is worth keeping, tells the peer why, and ends.
  func end(because reason: SessionEnd)
  /// Takes no new work, and ends when it has none.
  func drain()
  func tick(_ now: Instant)
  /// Somebody with a better right wants what this stream holds.
  func evict(stream: UInt64)
  /// A lease that this stream waits for is free.
  func retryLease(stream: UInt64)
}

extension Session {
  var store: Store { worker.shared.store }
  var configuration: ServerConfiguration { worker.configuration }

  func address(of stream: UInt64) -> StreamAddress {
    StreamAddress(worker: worker.index, session: id, stream: stream)
  }

  func log(_ level: LogLevel, _ body: (inout [UInt8]) -> Void) {
    worker.shared.log.write(level) { line in
      line.append("#")
      line.append(decimal: id)
      line.append(" ")
      line.append(contentsOf: peer)
      line.append(" ")
      body(&line)
    }
  }

  func logEnd(_ reason: SessionEnd, startedAt: Instant) {
    log(.info) { line in
      line.append("disconnected: ")
      line.append(reason.sentence)
      line.append(" after ")
      line.append(decimal: worker.loop.now.milliseconds(since: startedAt))
      line.append(" ms")
    }
  }

  func logStored(_ path: WirePath, bytes: UInt64) {
    log(.info) { line in
      line.append("stored ")
      line.append(quoting: path.bytes)
      line.append(", ")
      line.append(decimal: bytes)
      line.append(" bytes")
    }
  }

  /// Returns false when there are as many transfers as are allowed. Each is ended with `endTransfer`.
  func beginTransfer(_ kind: TransferKind) -> Bool {
    guard worker.group?.beginTransfer(on: worker.index, max: configuration.transferLimit) == true else {
      return false
    }
    worker.counters.count(begun: kind)
    return true
  }

  func endTransfer() { worker.group?.didEndTransfer(on: worker.index) }

  /// The lease of `path`, or the place of one that waits for it, is given up: the next one may have it.
  func releaseLease(_ path: WirePath, by address: StreamAddress) {
    if let waiter = store.leases.release(path, by: address) {
      worker.group?.post(.leaseIsFree(waiter), to: waiter)
    }
  }
}
