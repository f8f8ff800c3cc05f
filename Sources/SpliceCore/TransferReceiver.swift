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

  package var sentence: StaticString {
    switch self {
    case .unexpected: "the message does not belong here in the handshake"
    case .misplacedData: "the data is not the next piece of the file"
    case .outOfRange: "an offset lies outside the file"
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
    /// Data before `to` is asked for again; what was on its way is passed over.
    case rewinding(to: UInt64)
    case committing
  }

  package enum OnData: Equatable {
    case store
    /// It was on its way when a rewind was asked for.
    case discard
  }

  package let size: UInt64
  package let geometry: BlockGeometry
  private var state = State.opening

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

  package mutating func handleData(_ prefix: DataPrefix) throws(SequenceError) -> OnData {
    let next: UInt64
    switch state {
    case .receiving(let expected): next = expected
    case .rewinding(let target):
      if prefix.offset != target { return .discard }
      next = target
    case .opening, .offered, .committing: throw .unexpected(.data)
    }
    let (end, overflow) = prefix.offset.addingReportingOverflow(UInt64(prefix.count))
    guard prefix.offset == next, !overflow, end <= size else {
      throw .misplacedData(offset: prefix.offset)
    }
    let blockEnd = geometry.blockEnd(prefix.offset, fileSize: size)
    guard end <= blockEnd, (end == blockEnd) == (prefix.blockDigest != nil) else {
      throw .misplacedData(offset: prefix.offset)
    }
    state = .receiving(next: end)
    return .store
  }

  /// A block did not match its digest: everything from its start is asked for again.
  ///
  /// Returns false, and changes nothing, when it is asked for already: by a rewind to the same or an
  /// earlier block, since which nothing of this block was taken.
  @discardableResult
  package mutating func handleDamage(blockStart: UInt64) -> Bool {
    switch state {
    case .receiving(let next) where blockStart < next, .rewinding(let next) where blockStart < next: break
    case .committing: break
    case .opening, .offered, .receiving, .rewinding: return false
    }
    state = .rewinding(to: blockStart)
    return true
  }

  package mutating func handleCommit(_ commit: Commit) throws(SequenceError) {
    switch state {
    case .receiving(let next):
      guard commit.size == size, next == size else { throw .outOfRange(commit.size) }
      state = .committing
    // The peer committed before it heard that it has to send a block again: it will commit again.
    case .rewinding: return
    case .opening, .offered, .committing: throw .unexpected(.commit)
    }
  }

  /// True from a valid COMMIT on.
  package var isCommitting: Bool { state == .committing }
}
