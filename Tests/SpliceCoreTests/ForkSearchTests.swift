// Finding the block where two files part.

import SpliceBase
import SpliceCore
import Testing

@Suite("ForkSearch") struct ForkSearchTests {
  /// Plays both ends: of `blocks` blocks the first `fork` are equal, and the peer answers for at most `held`.
  private func rounds(blocks: UInt64, fork: UInt64, held: UInt64 = .max) -> (common: UInt64, rounds: Int)? {
    var search = ForkSearch(blocks: blocks)
    var rounds = 0
    while !search.isDone {
      let probes = search.probes
      rounds += 1
      let isRising = zip(probes, probes.dropFirst()).allSatisfy { $0 < $1 }
      guard rounds <= 20, (1...64).contains(probes.count), isRising, probes[0] >= 1,
        probes[probes.count - 1] <= blocks
      else { return nil }
      let ours = probes.map { Digest(high: $0, low: 0) }
      let theirs = probes.filter { $0 <= held }.map { Digest(high: $0, low: $0 <= fork ? 0 : 1) }
      search.handle(theirs: theirs, ours: ours)
    }
    guard search.probes.isEmpty else { return nil }
    return (search.common, rounds)
  }

  /// Every small case there is. Up to 64 blocks one round tells.
  @Test("The fork is found for every position in every file of up to 200 blocks")
  func exhaustive() {
    for blocks: UInt64 in 0...200 {
      for fork in 0...blocks {
        guard let result = rounds(blocks: blocks, fork: fork) else {
          Issue.record("\(blocks) blocks, fork at \(fork): no legal search")
          continue
        }
        let bound = blocks == 0 ? 0 : blocks <= 64 ? 1 : 2
        if result.common != fork || result.rounds > bound {
          Issue.record("\(blocks) blocks, fork at \(fork): \(result)")
        }
      }
    }
  }

  /// The round trips are what a user waits for.
  @Test(
    "Huge files need few rounds",
    arguments: [(20, 4), (21, 4), (30, 6), (40, 7), (44, 8)] as [(UInt64, Int)])
  func hugeFiles(exponent: UInt64, bound: Int) throws {
    let blocks: UInt64 = 1 << exponent
    var random = Random(seed: exponent)
    var forks = [
      0, 1, 2, 63, 64, 65, blocks / 2 - 1, blocks / 2, blocks - 65, blocks - 64, blocks - 1, blocks,
    ]
    forks += (0..<500).map { _ in UInt64.random(in: 0...blocks, using: &random) }
    for fork in forks {
      let result = try #require(rounds(blocks: blocks, fork: fork))
      if result.common != fork || result.rounds > bound { Issue.record("fork at \(fork): \(result)") }
    }
  }

  /// A short CHAIN says that the peer has fewer blocks; what it does not have is not common.
  @Test("A peer that holds fewer blocks than it is asked for is searched to its end")
  func shortAnswers() throws {
    for blocks: UInt64 in 1...150 {
      for held: UInt64 in [0, 1, blocks / 2, blocks - 1] {
        let result = try #require(rounds(blocks: blocks, fork: blocks, held: held))
        if result.common != held { Issue.record("\(blocks) blocks, \(held) held: \(result)") }
      }
    }
  }

  /// A peer whose answers make no sense still cannot keep the search going, nor lead it out of the file.
  @Test("Random answers end the search within its bound")
  func randomAnswers() {
    var random = Random(seed: 3)
    for _ in 0..<500 {
      var search = ForkSearch(blocks: 1 << 20)
      var rounds = 0
      while !search.isDone, rounds < 10 {
        rounds += 1
        let ours = search.probes.map { Digest(high: $0, low: 0) }
        let count = Int.random(in: 0...80, using: &random)
        search.handle(
          theirs: (0..<count).map { index in
            index < ours.count && Int.random(in: 0..<8, using: &random) > 0 ? ours[index] : .zero
          }, ours: ours)
      }
      #expect(rounds <= 4 && search.isDone && search.common <= 1 << 20)
    }
  }

  /// A journal may be gone by the time its digests are asked for.
  @Test("A prefix that one end cannot name is not common")
  func missingDigests() {
    for (theirs, ours) in [(0, 3), (3, 0), (2, 3), (3, 2), (1, 1)] {
      var search = ForkSearch(blocks: 3)
      let digests = search.probes.map { Digest(high: $0, low: 0) }
      search.handle(theirs: Array(digests.prefix(theirs)), ours: Array(digests.prefix(ours)))
      #expect(search.common == UInt64(min(theirs, ours)))
    }
  }
}
