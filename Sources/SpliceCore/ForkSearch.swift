// Where two files part: the last block up to which their prefix digests agree.

package import SpliceBase

/// Narrows down the fork with a few rounds of PROBE and CHAIN, 64 digests each: four rounds for 2^20
/// blocks. Prefix digests are monotone: once they differ they stay different.
package struct ForkSearch: Equatable {
  /// This many blocks agree for sure.
  package private(set) var common: UInt64 = 0
  /// This many do not, or are more than there are.
  private var different: UInt64

  /// - Parameter blocks: whole blocks that both ends hold.
  package init(blocks: UInt64) { different = blocks + 1 }

  package var isDone: Bool { different - common == 1 }

  /// The prefix lengths to compare next, in blocks, rising; empty when done.
  package var probes: [UInt64] {
    let span = different - common - 1
    let count = min(span, UInt64(Limits.probeMax))
    return (0..<count).map { index in
      // Multiplied in full width: span may be 2^44 for small blocks of a huge file.
      let scaled = (index + 1).multipliedFullWidth(by: span)
      return common + count.dividingFullWidth(scaled).quotient
    }
  }

  /// - Parameters:
  ///   - theirs: for the current `probes`, in order; may be shorter when the peer holds less.
  ///   - ours: for the same; a prefix that an end cannot name counts as one that differs.
  package mutating func handle(theirs: [Digest], ours: [Digest]) {
    let asked = probes
    for (index, blocks) in asked.enumerated() {
      if index < min(theirs.count, ours.count), theirs[index] == ours[index] {
        common = blocks
      } else {
        different = blocks
        return
      }
    }
  }
}
