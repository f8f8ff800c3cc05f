// How a file is cut into blocks. Both ends derive it from the declared size alone.

internal import SpliceBase

package struct BlockGeometry: Equatable, Sendable {
  /// A power of two, at least 1 MiB.
  package let blockSize: UInt64

  package init(blockSize: UInt64) {
    require(blockSize.nonzeroBitCount == 1, "a block size is a power of two")
    self.blockSize = blockSize
  }

  /// 1 MiB, doubled until the file has at most 2^20 blocks.
  package init(fileSize: UInt64) {
    var size = Limits.blockSize
    while fileSize > 0, (fileSize - 1) / size >= Limits.blockCountMax { size *= 2 }
    blockSize = size
  }

  /// Whole blocks in the first `bytes` bytes.
  package func wholeBlocks(in bytes: UInt64) -> UInt64 { bytes / blockSize }

  /// Bytes after the last whole block.
  package func tail(of bytes: UInt64) -> UInt64 { bytes % blockSize }

  /// Where the block that contains `offset` begins.
  package func blockStart(_ offset: UInt64) -> UInt64 { offset - offset % blockSize }

  /// Where the block that contains `offset` ends in a file of `size` bytes.
  package func blockEnd(_ offset: UInt64, fileSize: UInt64) -> UInt64 {
    let (end, overflow) = blockStart(offset).addingReportingOverflow(blockSize)
    return overflow ? fileSize : min(end, fileSize)
  }
}
