// The receiver's side of one transfer: which message may come now, and which bytes come next.

internal import SpliceBase
package import SpliceWire

/// Why a stream cannot go on: the peer sent something that the handshake does not allow.
package enum SequenceError: Error, Equatable {
  /// A message in a state that has no use for it.
  case unexpected(FrameType)
  /// DATA that is not where the next byte belongs, crosses a block, or lacks a digest at a block's end.
  case misplacedData(offset: UInt64)
  /// Offsets or sizes that do not fit the offered file.
  case outOfRange(UInt64)
  /// The block that begins here was asked for again, and the peer does not send it.
  case overdue(offset: UInt64)

  package var sentence: StaticString {
    switch self {
    case .unexpected: "the message does not belong here in the handshake"
    case .misplacedData: "the data is not the next piece of the file"
    case .outOfRange: "an offset lies outside the file"
    case .overdue: "a block that was asked for again does not come"
    }
  }
}

/// The handshake of one transfer, as the receiver sees it. Pure: bytes are stored by its owner.
///
/// Calls, in order: `handleOpened` once the stage is open, then what the peer sends: any number of
/// `handleProbe`, one `handleResume`, `handleData` until complete, `handleCommit`. `handleDamage` may
/// come at any time after a `handleData`.
package struct TransferReceiver: Equatable {
  private enum State: Equatable {
    case opening
    /// HAVE was sent; the peer compares.
    case offered(held: UInt64)
    case receiving(next: UInt64)
    case committing
  }

  package let size: UInt64
  package let geometry: BlockGeometry
  private var state = State.opening
  private var missing = RepeatQueue()

  package init(size: UInt64, geometry: BlockGeometry) {
    self.size = size
    self.geometry = geometry
  }

  package mutating func handleOpened(held: UInt64) {
    require(state == .opening, "a stage is opened once")
    state = .offered(held: held)
  }

  package func handleProbe() throws(SequenceError) {
    guard case .offered = state else { throw .unexpected(.probe) }
  }

  /// The peer continues at `from`. Its proof is checked by whoever has the digests.
  package mutating func handleResume(from: UInt64) throws(SequenceError) {
    guard case .offered(let held) = state else { throw .unexpected(.resume) }
    guard from <= held, from <= size else { throw .outOfRange(from) }
    state = .receiving(next: from)
  }

  /// The bytes belong at their offset: behind all that came, or into a block that was asked for again.
  package mutating func handleData(_ prefix: DataPrefix) throws(SequenceError) {
    guard case .receiving(let next) = state else { throw .unexpected(.data) }
    let isRepeat = prefix.offset == missing.next
    guard isRepeat || (prefix.offset == next && !missing.isUnderWay) else { throw .misplacedData(offset: prefix.offset) }
    let (end, overflow) = prefix.offset.addingReportingOverflow(UInt64(prefix.count))
    guard !overflow, end <= size else { throw .misplacedData(offset: prefix.offset) }
    let blockEnd = geometry.blockEnd(prefix.offset, fileSize: size)
    guard end <= blockEnd, (end == blockEnd) == (prefix.blockDigest != nil) else {
      throw .misplacedData(offset: prefix.offset)
    }
    if isRepeat { return missing.advance(by: UInt64(prefix.count), endsBlock: end == blockEnd) }
    if let first = missing.starts.min(), end - first > Limits.blocksAheadMax * geometry.blockSize {
      throw .overdue(offset: first)
    }
    state = .receiving(next: end)
  }

  /// A block did not match its digest: it is asked for again, and may come at any time from now on. Returns false, and
  /// changes nothing, when there are too many of them.
  package mutating func handleDamage(blockStart: UInt64) -> Bool {
    switch state {
    case .receiving(let next) where blockStart < next: break
    case .committing where blockStart < size: state = .receiving(next: size)
    case .opening, .offered, .receiving, .committing: panic("only what has come can be damaged")
    }
    guard !missing.isFull else { return false }
    missing.append(blockStart)
    return true
  }

  package mutating func handleCommit(_ commit: Commit) throws(SequenceError) {
    guard case .receiving(let next) = state else { throw .unexpected(.commit) }
    guard commit.size == size, next == size else { throw .outOfRange(commit.size) }
    // The peer committed before it heard that it has to send a block again: it will commit again.
    if missing.next == nil { state = .committing }
  }

  /// True from a valid COMMIT on.
  package var isCommitting: Bool { state == .committing }
}
