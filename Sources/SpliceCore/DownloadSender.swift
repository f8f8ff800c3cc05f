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
    case sending
    /// END was sent; single blocks may still be asked for.
    case ended
  }

  package let size: UInt64
  package let geometry: BlockGeometry
  private var state = State.opening
  /// From the agreement on.
  private var cursor: SendCursor?

  package init(size: UInt64) {
    self.size = size
    geometry = BlockGeometry(fileSize: size)
  }

  /// GIVE goes out; sending begins at once when `startingAt` is given.
  package mutating func handleOpened(startingAt offset: UInt64?) {
    require(state == .opening, "a file is opened once")
    state = .given
    if let offset { send(from: offset) }
  }

  package func handleProbe() throws(SequenceError) {
    guard state == .given else { throw .unexpected(.probe) }
  }

  /// The peer asks for the bytes from `offset` on. Its proof is checked by whoever has the digests; then `begin`
  /// follows.
  package mutating func handleResume(from offset: UInt64) throws(SequenceError) {
    guard state == .given else { throw .unexpected(.resume) }
    guard offset <= size else { throw .outOfRange(offset) }
    state = .resuming
  }

  /// The prefix before `offset` is agreed on: send from there.
  package mutating func begin(at prefix: AgreedPrefix) {
    require(state == .resuming, "sending begins after an agreement")
    send(from: prefix.bytes)
  }

  private mutating func send(from start: UInt64) {
    state = .sending
    cursor = SendCursor(size: size, from: start)
  }

  /// The peer asks for a block again.
  package mutating func handleRepeat(_ offset: UInt64) throws(SequenceError) {
    guard var cursor else { throw .unexpected(.repeat) }
    try cursor.handleRepeat(offset)
    self.cursor = cursor
  }

  /// Bytes before this one were sent once.
  package var front: UInt64 { cursor?.front ?? 0 }

  /// The next piece to send, at most to the end of its block; nil when all is sent or nothing may be.
  package var nextPiece: (offset: UInt64, count: Int, endsBlock: Bool)? {
    guard let next = cursor?.next else { return nil }
    let blockEnd = geometry.blockEnd(next.lowerBound, fileSize: size)
    let count = min(blockEnd - next.lowerBound, UInt64(Limits.dataPayloadMax))
    return (next.lowerBound, Int(count), next.lowerBound + count == blockEnd)
  }

  package mutating func handleSent(_ count: Int) {
    guard var cursor else { panic("only what may be sent is sent") }
    cursor.advance(by: UInt64(count))
    self.cursor = cursor
  }

  /// Nothing can be asked for behind END: nothing was sent, or of a file that is no more than the block.
  package var endIsLast: Bool { cursor?.hasSent != true || size <= geometry.blockSize }

  /// True once, when every byte is sent: END is due.
  package mutating func takeEnd() -> Bool {
    guard state == .sending, cursor?.next == nil else { return false }
    state = .ended
    return true
  }
}
