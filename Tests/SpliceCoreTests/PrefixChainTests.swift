// One digest for a whole prefix.

import SpliceBase
import SpliceCore
import Testing

@Suite("PrefixChain") struct PrefixChainTests {
  private let geometry = BlockGeometry(fileSize: 0)

  private func block(_ index: Int) -> Digest { Digest(bytes: (1...16).map { UInt8(16 * index + $0) }) }

  /// Computed once from the definition by another program.
  @Test("The first links have their known digests")
  func knownAnswers() {
    var chain = PrefixChain(geometry)
    #expect(chain.digest == digest("9ecc9ff73f5ee1dd6ace7686e8685921"))
    let links = [
      "4dadd25732da0c6d8c75ddf155ba63ca", "c25c18d015bcd1b4e9f9602f89dd8d8c",
      "3210dd134dda63edaaa157655bae76a6",
    ]
    for (index, hex) in links.enumerated() {
      chain.append(block(index))
      #expect(chain.digest == digest(hex))
      #expect(chain.blocks == UInt64(index + 1))
    }
    let proof = chain.proof(bytes: 3 << 20, tail: nil)
    #expect(proof == PrefixProof(bytes: 3 << 20, digest: chain.digest))
    let withTail = chain.proof(bytes: 3 << 20 | 4, tail: BlockHasher.digest(of: [UInt8]("tail")))
    #expect(withTail == PrefixProof(bytes: 3 << 20 | 4, digest: digest("4c9213c427c81056e096f0c97edaac7b")))
    #expect(chain.digest == digest(links[2]), "a proof leaves the chain as it is")
  }

  /// Another block size is another chain, from its very first digest on.
  @Test("The parameters are part of every digest")
  func parametersMatter() {
    var chain = PrefixChain(geometry)
    var other = PrefixChain(BlockGeometry(fileSize: 1 << 41))
    #expect(other.digest == digest("034659abb0bd354cd7ca7681f505043b"))
    for index in 0..<5 {
      #expect(chain.digest != other.digest)
      chain.append(block(index))
      other.append(block(index))
    }
    #expect(PrefixProof.empty(chain.geometry) != PrefixProof.empty(other.geometry))
    #expect(PrefixProof.empty(geometry) == PrefixProof(bytes: 0, digest: PrefixChain(geometry).digest))
  }

  /// Real bytes, hashed in reads of any size, give one proof.
  @Test("A proof is independent of how the bytes were split")
  func splits() {
    let size = 2 << 20 | 77
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 9) }
    func proof(pieces: Int) -> PrefixProof {
      let hasher = BlockHasher()
      var chain = PrefixChain(geometry)
      var position = 0
      bytes.withUnsafeBytes { raw in
        while position < size {
          let blockEnd = Int(geometry.blockEnd(UInt64(position), fileSize: UInt64(size)))
          let end = min(position + pieces, blockEnd)
          hasher.update(UnsafeRawBufferPointer(rebasing: raw[position..<end]))
          position = end
          if position % (1 << 20) == 0 {
            chain.append(hasher.digest())
            hasher.reset()
          }
        }
      }
      return chain.proof(bytes: UInt64(size), tail: hasher.digest())
    }
    let whole = proof(pieces: size)
    for pieces in [4096, 65_537, 1 << 20, 333_333] { #expect(proof(pieces: pieces) == whole) }
  }

  /// Order, number and content of the blocks are all in the digest.
  @Test("Every change of a block, of the order or of the number of blocks changes the digest")
  func everyChangeCounts() {
    func digest(_ blocks: [Int]) -> Digest {
      var chain = PrefixChain(geometry)
      for index in blocks { chain.append(block(index)) }
      return chain.digest
    }
    let variants = [
      [], [0], [1], [0, 1], [1, 0], [0, 0], [0, 1, 2], [0, 2, 1], [0, 1, 3], [3, 1, 2], [0, 1, 2, 2],
    ]
    for (left, first) in variants.enumerated() {
      for (right, second) in variants.enumerated() {
        #expect((digest(first) == digest(second)) == (left == right))
      }
    }
  }

  /// Digests that are equal after a difference would let a search go wrong.
  @Test("Chains that parted stay apart")
  func partedChainsStayApart() {
    for fork in 0..<20 {
      var left = PrefixChain(geometry)
      var right = PrefixChain(geometry)
      for index in 0..<20 {
        left.append(Digest(high: UInt64(index), low: 0))
        right.append(Digest(high: UInt64(index), low: index == fork ? 1 : 0))
        #expect((left.digest == right.digest) == (index < fork))
      }
    }
  }

  /// The token that appending requires cannot be had for anything but two equal proofs.
  @Test("Only equal proofs make an agreed prefix")
  func agreement() {
    let ours = PrefixProof(bytes: 5, digest: block(1))
    #expect(AgreedPrefix(ours: ours, theirs: ours)?.bytes == 5)
    #expect(AgreedPrefix(ours: ours, theirs: ours)?.proof == ours)
    #expect(AgreedPrefix(ours: ours, theirs: PrefixProof(bytes: 6, digest: block(1))) == nil)
    #expect(AgreedPrefix(ours: ours, theirs: PrefixProof(bytes: 5, digest: block(2))) == nil)
    #expect(AgreedPrefix(ours: ours, theirs: PrefixProof(bytes: 5, digest: .zero)) == nil)
  }
}
