// Which bytes of a file go next: the rest of it in order, and before that the blocks that are asked for again.

internal import SpliceBase
internal import SpliceWire

/// Where the sender of one file is. Pure.
package struct SendCursor: Equatable {
  package let size: UInt64
  package let geometry: BlockGeometry
  /// Every byte before this one was sent once.
  package private(set) var front: UInt64
  private let start: UInt64
  private var repeats = RepeatQueue()

  package init(size: UInt64, from start: UInt64) {
    require(start <= size, "sending begins inside the file")
    self.size = size
    geometry = BlockGeometry(fileSize: size)
    self.start = start
    front = start
  }

  package var hasSent: Bool { front > start }

  /// What may be sent in one go, from its first byte on; nil when there is nothing left. A block that is sent
  /// again is sent whole before anything else goes on.
  package var next: Range<UInt64>? {
    if let next = repeats.next { return next..<geometry.blockEnd(next, fileSize: size) }
    return front < size ? front..<size : nil
  }

  /// The first `count` bytes of `next` are on their way.
  package mutating func advance(by count: UInt64) {
    guard let next, count <= next.upperBound - next.lowerBound else { panic("only what may be sent is sent") }
    if repeats.next == nil {
      front += count
    } else {
      repeats.advance(by: count, endsBlock: next.lowerBound + count == next.upperBound)
    }
  }

  /// The block that begins at `offset` arrived damaged.
  package mutating func handleRepeat(_ offset: UInt64) throws(SequenceError) {
    // Only of a whole block that was sent can it be known, and only once each time.
    guard geometry.tail(of: offset) == 0, offset < size, geometry.blockEnd(offset, fileSize: size) <= front,
      !repeats.starts.contains(offset)
    else { throw .outOfRange(offset) }
    guard !repeats.isFull else { throw .unexpected(.repeat) }
    repeats.append(offset)
  }
}
