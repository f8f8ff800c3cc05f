// Who gets a buffer of a pool, and that no two of them share memory.

import SpliceBase
import Testing

@testable import SpliceEngine

@Suite struct BufferPoolTests {
  private let pool = BufferPool(bytes: 16 << 20)

  private func range(_ buffer: Buffer) -> Range<UInt> {
    let start = UInt(bitPattern: buffer.bytes.baseAddress)
    return start..<start + UInt(buffer.bytes.count)
  }

  @Test func buffersInUseShareNoMemoryAndBeginAtPages() throws {
    var taken = [try #require(pool.takeForBulk()), try #require(pool.takeForBulk())]
    #expect(taken.allSatisfy { $0.isWide && $0.bytes.count > Limits.dataPayloadMax })
    while let buffer = pool.take() { taken.append(buffer) }
    let ranges = taken.map(range).sorted { $0.lowerBound < $1.lowerBound }
    for (left, right) in zip(ranges, ranges.dropFirst()) { #expect(left.upperBound <= right.lowerBound) }
    #expect(ranges.allSatisfy { $0.lowerBound % 4096 == 0 })
    #expect(ranges.map(\.count).reduce(0, +) == pool.count * Limits.bufferSize)
    #expect(pool.usedCount == pool.count)
    for buffer in taken { pool.unpin(buffer) }
    #expect(pool.usedCount == 0)
  }

  @Test func wideOnesAreOnlyThereWhileTheOthersHaveEnough() throws {
    var taken: [Buffer] = []
    while !pool.isScarce { taken.append(try #require(pool.take())) }
    let narrow = try #require(pool.takeForBulk())
    #expect(!narrow.isWide)
    taken.append(narrow)
    for buffer in taken { pool.unpin(buffer) }
    let wide = try #require(pool.takeForBulk())
    #expect(wide.isWide)
    pool.unpin(wide)
  }

  @Test func aWideOneIsNotTakenWhileItsPlaceIsInUse() throws {
    var taken: [Buffer] = []
    while let buffer = pool.take() { taken.append(buffer) }
    // The bottom of the stack stays in use, everything else comes back.
    for buffer in taken.dropLast() { pool.unpin(buffer) }
    let last = try #require(taken.last)
    for _ in 0..<2 {
      guard let buffer = pool.takeForBulk() else { break }
      #expect(!range(buffer).overlaps(range(last)))
      pool.unpin(buffer)
    }
    pool.unpin(last)
    #expect(pool.usedCount == 0)
  }

  @Test func littleMemoryHasNoWideOnes() throws {
    let pool = BufferPool(bytes: 1 << 20)
    let buffer = try #require(pool.takeForBulk())
    #expect(!buffer.isWide)
    pool.unpin(buffer)
  }
}
