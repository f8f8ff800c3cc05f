// One digest that names a whole prefix of a file, and the proof that two ends hold the same one.

package import SpliceBase
internal import SpliceWire

/// P(k) = H(P(k-1) ‖ D(k)), P(-1) = H(parameters): the digest of a prefix of whole blocks, grown
/// block by block.
///
/// The parameters are in it, so that chains over other block sizes or algorithms never compare equal.
package struct PrefixChain: Equatable, Sendable {
  package let geometry: BlockGeometry
  /// Whole blocks named so far.
  package private(set) var blocks: UInt64 = 0
  /// P(blocks - 1).
  package private(set) var digest: Digest

  package init(_ geometry: BlockGeometry) {
    self.geometry = geometry
    var parameters: [UInt8] = []
    parameters.append("splice chain 1")
    parameters.append(DigestAlgorithm.xxh3.rawValue)
    parameters.append(integer: geometry.blockSize)
    digest = BlockHasher.digest(of: parameters)
  }

  /// Goes on behind so many blocks, which `digest` names.
  package init(_ geometry: BlockGeometry, blocks: UInt64, digest: Digest) {
    self.geometry = geometry
    self.blocks = blocks
    self.digest = digest
  }

  package mutating func append(_ block: Digest) {
    digest = link(block)
    blocks += 1
  }

  /// The proof of `bytes` bytes: the whole blocks so far and, when `bytes` ends inside a block, the
  /// digest of that piece chained behind them.
  package func proof(bytes: UInt64, tail: Digest?) -> PrefixProof {
    require(geometry.wholeBlocks(in: bytes) == blocks, "a proof names the blocks of its prefix")
    require((geometry.tail(of: bytes) > 0) == (tail != nil), "a piece of a block has a digest of its own")
    return PrefixProof(bytes: bytes, digest: tail.map(link) ?? digest)
  }

  private func link(_ block: Digest) -> Digest {
    Digest.withBytes(digest, block) { BlockHasher.digest(of: $0) }
  }
}

/// What one end claims to hold: so many bytes, named by this digest.
package struct PrefixProof: Equatable, Sendable {
  package let bytes: UInt64
  package let digest: Digest

  package init(bytes: UInt64, digest: Digest) {
    self.bytes = bytes
    self.digest = digest
  }

  /// The proof of nothing, which every file shares.
  package static func empty(_ geometry: BlockGeometry) -> PrefixProof {
    PrefixChain(geometry).proof(bytes: 0, tail: nil)
  }
}

/// A prefix that both ends have just named by the same digest. Nothing else may be appended to.
///
/// Can only be made by comparing, so code that needs one cannot forget to.
package struct AgreedPrefix: Equatable, Sendable {
  package let proof: PrefixProof
  package var bytes: UInt64 { proof.bytes }

  package init?(ours: PrefixProof, theirs: PrefixProof) {
    guard ours == theirs else { return nil }
    proof = ours
  }
}
