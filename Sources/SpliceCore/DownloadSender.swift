// The sender's side of one download: which message may come now, and which bytes go next.

internal import SpliceBase
internal import SpliceWire

/// The handshake of one download, as the sender sees it. Pure: bytes are sent by its owner.
package struct DownloadSender: Equatable {
  private enum State: Equatable {
    case opening
    /// GIVE was sent; the peer compares or says where to begin.
    case given
    /// The proof of a RESUME is being checked.
    case resuming
    case sending(next: UInt64)
    case ended
  }

  package let size: UInt64
  package let geometry: BlockGeometry
  private var state = State.opening

  package init(size: UInt64) {
    self.size = size
    geometry = BlockGeometry(fileSize: size)
  }

  /// GIVE goes out; sending begins at once when `startingAt` is given.
  package mutating func handleOpened(startingAt offset: UInt64?) {
    require(state == .opening, "a file is opened once")
    state = offset.map { .sending(next: $0) } ?? .given
  }

  package func handleProbe() throws(SequenceError) {
    guard state == .given else { throw .unexpected(.probe) }
  }

  /// The peer asks for the bytes from `offset` on: at the beginning, or again after damage.
  /// Its proof is checked by whoever has the digests; then `begin` follows.
  package mutating func handleResume(from offset: UInt64) throws(SequenceError) {
    // One at a time: the peer hears of each whether it was right.
    guard state != .opening, state != .resuming else { throw .unexpected(.resume) }
    guard offset <= size else { throw .outOfRange(offset) }
    state = .resuming
  }

  /// The prefix before `offset` is agreed on: send from there.
  package mutating func begin(at prefix: AgreedPrefix) {
    require(state == .resuming, "sending begins after an agreement")
    state = .sending(next: prefix.bytes)
  }

  /// The next piece to send, at most to the end of its block; nil when all is sent or nothing may be.
  package var nextPiece: (offset: UInt64, count: Int, endsBlock: Bool)? {
    guard case .sending(let next) = state, next < size else { return nil }
    let blockEnd = geometry.blockEnd(next, fileSize: size)
    let count = min(blockEnd - next, UInt64(Limits.dataPayloadMax))
    return (next, Int(count), next + count == blockEnd)
  }

  package mutating func handleSent(_ count: Int) {
    guard case .sending(let next) = state else { panic("only what may be sent is sent") }
    state = .sending(next: next + UInt64(count))
  }

  /// True once, when every byte is sent: END is due.
  package mutating func takeEnd() -> Bool {
    guard case .sending(size) = state else { return false }
    state = .ended
    return true
  }
}
