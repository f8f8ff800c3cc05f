// How candidates share rounds of syncs.

import SpliceSystem
import SpliceUV
import SpliceWire
import Testing

@testable import SpliceEngine

@Suite struct CommitQueueTests {
  /// Cannot be committed, and hears so.
  private final class Candidate: CommitCandidate {
    var ends = 0
    var whenPlanned: () -> Void = {}
    var whenEnded: () -> Void = {}

    func planCommit(in folders: inout RoundFolders) throws(StoreError) -> CommitWish {
      whenPlanned()
      throw StoreError(.denied)
    }

    func commitDidEnd(_ result: Result<FileStatus, StoreError>) {
      ends += 1
      whenEnded()
    }
  }

  @Test func oneRoundAtATimeWhereThereIsNoMore() throws {
    let loop = try Loop()
    let queue = CommitQueue(loop, roundsMax: 1)
    let candidates = (0..<100).map { _ in Candidate() }
    for candidate in candidates { queue.add(candidate) }
    #expect(loop.inFlightCount == 1)
    loop.run()
    for candidate in candidates { #expect(candidate.ends == 1) }
    loop.close()
  }

  @Test func aGroupLeavesSomeForTheNext() throws {
    let loop = try Loop()
    let queue = CommitQueue(loop, roundsMax: 1)
    let candidates = (0..<300).map { _ in Candidate() }
    // One round at a time: either the loop's thread touches these, or that of the round.
    var groups: [Int] = []
    var isPlanning = false
    for candidate in candidates {
      candidate.whenPlanned = {
        if !isPlanning { groups.append(0) }
        isPlanning = true
        groups[groups.count - 1] += 1
      }
      candidate.whenEnded = { isPlanning = false }
      queue.add(candidate)
    }
    loop.run()
    #expect(groups == [1, 128, 128, 43])
    for candidate in candidates { #expect(candidate.ends == 1) }
    loop.close()
  }

  @Test func secondRoundBeginsBesideTheFirstWhenItHasCompany() throws {
    let loop = try Loop()
    let queue = CommitQueue(loop, roundsMax: 2)
    let candidates = (0..<100).map { _ in Candidate() }
    queue.add(candidates[0])
    for candidate in candidates[1..<32] { queue.add(candidate) }
    #expect(loop.inFlightCount == 1)
    queue.add(candidates[32])
    #expect(loop.inFlightCount == 2)
    // There is no third.
    for candidate in candidates[33...] { queue.add(candidate) }
    #expect(loop.inFlightCount == 2)
    loop.run()
    for candidate in candidates { #expect(candidate.ends == 1) }
    loop.close()
  }

  @Test func oneFileDoesNotWaitForCompany() throws {
    let loop = try Loop()
    let queue = CommitQueue(loop, roundsMax: 2)
    let (first, second) = (Candidate(), Candidate())
    // From where a transfer hears of its end, too.
    first.whenEnded = { queue.add(second) }
    queue.add(first)
    loop.run()
    #expect(first.ends == 1)
    #expect(second.ends == 1)
    loop.close()
  }
}
