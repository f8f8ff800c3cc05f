// The few files that exist in a fuzzed world, and what names their prefixes.

internal import SpliceBase
internal import SpliceCore

/// Bytes, with the digests that an honest sender of them would say.
final class FuzzFile: Sendable {
  let bytes: [UInt8]
  let modified: Timestamp
  let geometry: BlockGeometry
  private let blocks: [Digest]
  private let chains: [PrefixChain]

  init(_ bytes: [UInt8], number: Int) {
    self.bytes = bytes
    modified = Timestamp(seconds: 1_600_000_000 + Int64(number), nanoseconds: UInt32(number))
    geometry = BlockGeometry(fileSize: UInt64(bytes.count))
    var chain = PrefixChain(geometry)
    var chains = [chain]
    var blocks: [Digest] = []
    for start in stride(from: 0, to: bytes.count, by: Int(geometry.blockSize)) {
      let end = min(bytes.count, start + Int(geometry.blockSize))
      blocks.append(BlockHasher.digest(of: Array(bytes[start..<end])))
      if end - start == Int(geometry.blockSize) {
        chain.append(blocks[blocks.count - 1])
        chains.append(chain)
      }
    }
    self.blocks = blocks
    self.chains = chains
  }

  var size: UInt64 { UInt64(bytes.count) }

  /// The digest of the block that ends at `end`; nil when none does.
  func blockDigest(endingAt end: UInt64) -> Digest? {
    guard end > 0, end == size || geometry.tail(of: end) == 0 else { return nil }
    return blocks[Int((end - 1) / geometry.blockSize)]
  }

  func blockDigest(_ index: Int) -> Digest { blocks[index] }

  var blockCount: Int { blocks.count }

  func proof(_ count: UInt64) -> PrefixProof {
    let whole = geometry.wholeBlocks(in: count)
    let start = Int(whole * geometry.blockSize)
    let tail = count > UInt64(start) ? BlockHasher.digest(of: Array(bytes[start..<Int(count)])) : nil
    return chains[Int(whole)].proof(bytes: count, tail: tail)
  }

  func chain(_ blocks: UInt64) -> Digest { chains[min(Int(blocks), chains.count - 1)].digest }

  private static let noise: [UInt8] = {
    var random = Random(seed: 77)
    return (0..<(2 << 20) / 8 + 8).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
  }()

  /// Two of one size that part in their second block, two that end inside a block, small ones, an empty one.
  static let all: [FuzzFile] = {
    let block = Int(Limits.blockSize)
    var parted = Array(noise[..<(2 * block)])
    parted[block + 1000] ^= 1
    return [
      FuzzFile(Array(noise[..<1000]), number: 1), FuzzFile(Array(noise[..<(block + 777)]), number: 2),
      FuzzFile(Array(noise[..<(2 * block)]), number: 3), FuzzFile(parted, number: 4), FuzzFile([], number: 5),
      FuzzFile(Array(noise[5..<(5 + block)]), number: 6), FuzzFile(Array(noise[9..<10]), number: 7),
    ]
  }()

  static func find(_ content: (FuzzFile) -> Bool) -> FuzzFile? { all.first(where: content) }
}
