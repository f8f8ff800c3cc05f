// How files are cut into blocks.

import SpliceBase
import SpliceCore
import Testing

@Suite("BlockGeometry") struct BlockGeometryTests {
  /// Both ends derive the block size alone, so the steps have to be where the protocol says.
  @Test("Blocks are 1 MiB up to 1 TiB and double with the size above it")
  func blockSizes() {
    let tebibyte: UInt64 = 1 << 40
    #expect(BlockGeometry(fileSize: 0).blockSize == 1 << 20)
    #expect(BlockGeometry(fileSize: 1).blockSize == 1 << 20)
    #expect(BlockGeometry(fileSize: tebibyte).blockSize == 1 << 20)
    for step: UInt64 in 0..<24 {
      #expect(BlockGeometry(fileSize: (tebibyte << step) - 1).blockSize == 1 << (20 + step))
      #expect(BlockGeometry(fileSize: tebibyte << step).blockSize == 1 << (20 + step))
      #expect(BlockGeometry(fileSize: (tebibyte << step) + 1).blockSize == 1 << (21 + step))
    }
    #expect(BlockGeometry(fileSize: .max).blockSize == 1 << 44)
  }

  /// That is what bounds the journal, and the search for the fork.
  @Test("No file has more than 2^20 blocks, the last short one included")
  func blockCounts() {
    var random = Random(seed: 5)
    let chosen = (0..<64).flatMap { bit -> [UInt64] in
      let power: UInt64 = 1 << UInt64(bit)
      return [power - 1, power, power + 1, power + (1 << 20) - 1, power | random.next() >> UInt64(63 - bit)]
    }
    for size in chosen + [.max, .max - 1] {
      let geometry = BlockGeometry(fileSize: size)
      let blocks = geometry.wholeBlocks(in: size) + (geometry.tail(of: size) > 0 ? 1 : 0)
      #expect(blocks <= Limits.blockCountMax, "\(size)")
      #expect(geometry.blockSize == 1 << 20 || blocks > Limits.blockCountMax / 2, "\(size)")
    }
  }

  /// Offsets next to every border of a small file.
  @Test("Every offset lies in the block between its start and its end")
  func offsets() {
    let geometry = BlockGeometry(blockSize: 8)
    for size: UInt64 in 1...40 {
      for offset in 0..<size {
        let start = geometry.blockStart(offset)
        let end = geometry.blockEnd(offset, fileSize: size)
        #expect(start % 8 == 0 && start <= offset && offset < end && end <= size)
        #expect(end == size || end == start + 8)
        #expect(geometry.wholeBlocks(in: offset) * 8 + geometry.tail(of: offset) == offset)
      }
    }
  }

  /// A declared size is a peer's number; the largest must not overflow.
  @Test("The last block of the largest file ends where the file does")
  func largestFile() {
    let geometry = BlockGeometry(fileSize: .max)
    #expect(geometry.blockEnd(.max - 1, fileSize: .max) == .max)
    #expect(geometry.blockEnd(0, fileSize: .max) == geometry.blockSize)
  }
}
