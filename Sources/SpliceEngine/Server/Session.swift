// One client of the daemon, whichever protocol it speaks.

internal import SpliceBase
internal import SpliceSystem
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
  /// Nil for a local socket.
  var peerAddress: SocketAddress? { get }
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
