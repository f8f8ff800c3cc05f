// Received bytes on their way to a stage: in order, in batches that a job of the pool can write at once.

package import SpliceBase
package import SpliceCore

/// Slices that wait for the disk. Belongs to the loop's thread.
///
/// While one batch is being written the next pieces wait here, so the slower the disk, the larger the
/// batches.
package struct PieceQueue {
  private struct Piece {
    let slice: Slice
    /// Where it belongs in the file.
    let offset: UInt64
    /// Set on the last piece of a block.
    let blockDigest: Digest?
    let endsBlock: Bool
  }

  /// Pieces that there is room for from the first one on: as many as a connection may have waiting, when they
  /// are as large as portions.
  fileprivate static let usualCount = Limits.connectionBacklogMax / Limits.portionSize * 2

  private var pieces: [Piece] = []
  /// Bytes that wait.
  package private(set) var count = 0

  package init() {}

  package var isEmpty: Bool { pieces.isEmpty }

  /// Takes over the pin of `slice`.
  package mutating func append(_ slice: Slice, at offset: UInt64, blockDigest: Digest?) {
    append(Piece(slice: slice, offset: offset, blockDigest: blockDigest, endsBlock: blockDigest != nil))
  }

  /// As above, for a sender that has no digests.
  package mutating func append(_ slice: Slice, at offset: UInt64, endsBlock: Bool) {
    append(Piece(slice: slice, offset: offset, blockDigest: nil, endsBlock: endsBlock))
  }

  private mutating func append(_ piece: Piece) {
    if pieces.capacity == 0 { pieces.reserveCapacity(Self.usualCount) }
    pieces.append(piece)
    count += piece.slice.range.count
  }

  /// Moves pieces to `batch` that follow one another in the file: up to the end of a block, or one job's worth.
  package mutating func fill(_ batch: inout PieceBatch) {
    require(batch.slices.isEmpty, "one batch at a time")
    batch.blockDigest = nil
    if batch.slices.capacity == 0 { batch.slices.reserveCapacity(Self.usualCount) }
    var taken = 0
    var isAtEnd = false
    while taken < min(pieces.count, PieceBatch.pieceMax), batch.count < Limits.jobSize, !isAtEnd {
      let piece = pieces[taken]
      if taken == 0 { batch.offset = piece.offset }
      guard piece.offset == batch.offset + UInt64(batch.count) else { break }
      batch.slices.append(piece.slice)
      batch.count += piece.slice.range.count
      batch.blockDigest = piece.blockDigest
      isAtEnd = piece.endsBlock
      taken += 1
    }
    pieces.removeFirst(taken)
    count -= batch.count
  }

  /// Gives back everything. Returns its cost.
  package mutating func removeAll(_ pool: BufferPool) -> Int {
    var cost = 0
    for piece in pieces {
      cost += piece.slice.cost
      pool.unpin(piece.slice.buffer)
    }
    pieces.removeAll(keepingCapacity: true)
    count = 0
    return cost
  }
}

/// What one job writes. Filled and emptied on the loop's thread, stored on a thread of the pool.
package struct PieceBatch {
  /// Pieces of one job: their list fits on the stack (1 KiB is what the compiler puts there).
  fileprivate static let pieceMax = 64

  fileprivate var slices: [Slice] = []
  fileprivate var offset: UInt64 = 0
  fileprivate var blockDigest: Digest?
  /// Bytes in it.
  package fileprivate(set) var count = 0

  package init() {}

  /// Hashes the bytes, if there are any, and writes them from where they lie.
  package func store(in stage: Stage) throws(StoreError) -> Stage.OnAppend {
    if slices.isEmpty { return .stored }
    return try withPieces { (pieces) throws(StoreError) in
      try stage.append(pieces, at: offset, blockDigest: blockDigest)
    }
  }

  /// As above, for a sender that has no digests; `md5` runs along.
  package func store(in stage: Stage, _ md5: RunningMD5) throws(StoreError) {
    require(offset == stage.received, "without digests nothing comes again")
    try withPieces { (pieces) throws(StoreError) in
      try stage.append(unproved: pieces)
      for piece in pieces { md5.update(piece) }
      try stage.note(md5)
    }
  }

  private func withPieces<Value>(
    _ body: (UnsafeBufferPointer<UnsafeRawBufferPointer>) throws(StoreError) -> Value
  ) throws(StoreError) -> Value {
    let result: Result<Value, StoreError> = withUnsafeTemporaryAllocation(
      of: UnsafeRawBufferPointer.self, capacity: slices.count
    ) { list in
      for (index, slice) in slices.enumerated() { list.initializeElement(at: index, to: slice.bytes) }
      do throws(StoreError) {
        return .success(try body(UnsafeBufferPointer(list)))
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// Gives the buffers back. Returns their cost.
  package mutating func removeAll(_ pool: BufferPool) -> Int {
    var cost = 0
    for slice in slices {
      cost += slice.cost
      pool.unpin(slice.buffer)
    }
    slices.removeAll(keepingCapacity: true)
    count = 0
    return cost
  }
}
