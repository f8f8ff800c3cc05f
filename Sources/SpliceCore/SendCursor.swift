// Which bytes of a file go next: the rest of it in order, and before that the blocks that are asked for again.

internal import SpliceBase
internal import SpliceWire

/// Where the sender of one file is. Pure.
package struct SendCursor: Equatable {
  package let size: UInt64
  package let geometry: BlockGeometry
  /// Every byte before this one was sent once.
  package private(set) var front: UInt64
  /// The first bytes of blocks that the receiver asked for again, in the order of asking.
  private var repeats: [UInt64] = []
  /// Bytes of the first of them that were sent again.
  private var repeated: UInt64 = 0

  package init(size: UInt64, geometry: BlockGeometry, from start: UInt64) {
    require(start <= size, "sending begins inside the file")
    self.size = size
    self.geometry = geometry
    front = start
  }

  /// What may be sent in one go, from its first byte on; nil when there is nothing left. A block that is sent
  /// again is sent whole before anything else goes on.
  package var next: Range<UInt64>? {
    if let block = repeats.first { return block + repeated..<geometry.blockEnd(block, fileSize: size) }
    return front < size ? front..<size : nil
  }

  /// The first `count` bytes of `next` are on their way.
  package mutating func advance(by count: UInt64) {
    guard let next, count <= next.upperBound - next.lowerBound else { panic("only what may be sent is sent") }
    guard !repeats.isEmpty else {
      front += count
      return
    }
    repeated += count
    if next.lowerBound + count == next.upperBound {
      repeats.removeFirst()
      repeated = 0
    }
  }

  /// The block that begins at `offset` arrived damaged.
  package mutating func handleRepeat(_ offset: UInt64) throws(SequenceError) {
    // Only of a whole block that was sent can it be known, and only once each time.
    guard geometry.tail(of: offset) == 0, offset < size, geometry.blockEnd(offset, fileSize: size) <= front,
      !repeats.contains(offset)
    else { throw .outOfRange(offset) }
    guard repeats.count < Limits.repeatsMax else { throw .unexpected(.repeat) }
    repeats.append(offset)
  }
}
