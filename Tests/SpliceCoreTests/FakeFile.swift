// Files of any size without bytes: each block is a number that stands for its content.

import SpliceBase
import SpliceCore
import SpliceWire

/// A file whose blocks have equal bytes exactly where they have equal numbers.
struct FakeFile: Equatable {
  static let blockSize: UInt64 = 1 << 20

  /// One number for each block, the last short one included.
  private(set) var contents: [UInt64]
  private(set) var size: UInt64

  init(contents: [UInt64], size: UInt64) {
    precondition(UInt64(contents.count) == (size + Self.blockSize - 1) / Self.blockSize)
    self.contents = contents
    self.size = size
  }

  /// `blocks` whole blocks and `tail` bytes; from block `fork` on, the content is another one.
  init(blocks: Int, tail: UInt64 = 0, fork: Int = .max, variant: UInt64 = 1000) {
    let count = blocks + (tail > 0 ? 1 : 0)
    self.init(
      contents: (0..<count).map { UInt64($0) + ($0 >= fork ? variant : 0) },
      size: UInt64(blocks) * Self.blockSize + tail)
  }

  var geometry: BlockGeometry { BlockGeometry(fileSize: size) }

  /// The digest of the first `count` bytes of a block.
  private func piece(_ block: Int, count: UInt64) -> Digest { Digest(high: contents[block], low: count) }

  /// The digest of the whole block that ends at `end`.
  func blockDigest(endingAt end: UInt64) -> Digest {
    let block = Int((end - 1) / Self.blockSize)
    return piece(block, count: end - UInt64(block) * Self.blockSize)
  }

  func proof(bytes: UInt64) -> PrefixProof {
    precondition(bytes <= size)
    let whole = Int(bytes / Self.blockSize)
    var chain = PrefixChain(BlockGeometry(blockSize: Self.blockSize))
    for block in 0..<whole { chain.append(piece(block, count: Self.blockSize)) }
    let tail = bytes % Self.blockSize
    return chain.proof(bytes: bytes, tail: tail == 0 ? nil : piece(whole, count: tail))
  }

  var proof: PrefixProof { proof(bytes: size) }

  /// The digests that a PROBE asks for; fewer when there are fewer blocks.
  func chain(_ counts: [UInt64]) -> [Digest] {
    counts.filter { $0 * Self.blockSize <= size }.map { proof(bytes: $0 * Self.blockSize).digest }
  }

  mutating func truncate(to bytes: UInt64) {
    precondition(bytes <= size)
    size = bytes
    contents.removeLast(contents.count - Int((bytes + Self.blockSize - 1) / Self.blockSize))
  }

  /// Appends bytes of `source`, which lie where this file ends. A piece of a block is continued only
  /// with the same content.
  mutating func append(_ count: UInt64, of source: FakeFile) -> Bool {
    let block = Int(size / Self.blockSize)
    if size % Self.blockSize == 0 {
      contents.append(source.contents[block])
    } else if contents[block] != source.contents[block] {
      return false
    }
    size += count
    return true
  }

  /// Bytes that both have in common from the beginning, as far as whole blocks tell.
  func commonBlocks(with other: FakeFile) -> UInt64 {
    let whole = min(size, other.size) / Self.blockSize
    return (0..<whole).first { contents[Int($0)] != other.contents[Int($0)] } ?? whole
  }

  /// True when this whole file is the beginning of the other.
  func isPrefix(of other: FakeFile) -> Bool { size <= other.size && proof == other.proof(bytes: size) }
}

/// Why a pair of machines did not come to an end.
struct Stuck: Error, CustomStringConvertible {
  var description: String
}

extension DataPrefix {
  /// The next frame of `file`, from `offset` to the end of its block, or only `part` bytes of that.
  static func next(of file: FakeFile, from offset: UInt64, part: UInt64 = .max) -> DataPrefix {
    let end = file.geometry.blockEnd(offset, fileSize: file.size)
    let stop = min(end, offset + min(part, FakeFile.blockSize))
    return DataPrefix(
      stream: 1, offset: offset, count: Int(stop - offset),
      blockDigest: stop == end ? file.blockDigest(endingAt: end) : nil)
  }
}
