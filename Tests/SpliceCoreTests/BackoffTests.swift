// When to try again.

import SpliceBase
import SpliceCore
import Testing

@Suite("Backoff") struct BackoffTests {
  private let start = Instant(milliseconds: 1_000_000)

  /// The ceiling doubles from 200 ms to 15 s, and a pause is between half of it and all of it.
  @Test("Pauses grow to fifteen seconds and stay between half and all of their ceiling")
  func bounds() throws {
    var shortest = [UInt64](repeating: .max, count: 40)
    var longest = [UInt64](repeating: 0, count: 40)
    for seed: UInt64 in 0..<200 {
      var backoff = Backoff(budgetSeconds: 600, seed: seed)
      for failure in 0..<40 {
        let next = backoff.handleFailure(now: start)
        let pause = try #require(next)
        shortest[failure] = min(shortest[failure], pause)
        longest[failure] = max(longest[failure], pause)
      }
    }
    for failure in 0..<40 {
      let ceiling = failure < 7 ? UInt64(200) << UInt64(failure) : 15_000
      #expect(shortest[failure] >= ceiling / 2 && longest[failure] <= ceiling, "failure \(failure)")
      #expect(longest[failure] - shortest[failure] > ceiling / 3, "pauses of \(failure) are spread")
    }
  }

  /// The budget counts from the first failure, not from the beginning.
  @Test("Tries end when the budget passed without progress")
  func budget() {
    var backoff = Backoff(budgetSeconds: 10, seed: 1)
    #expect(backoff.handleFailure(now: start) != nil)
    #expect(backoff.handleFailure(now: start.advanced(byMilliseconds: 9_999)) != nil)
    #expect(backoff.handleFailure(now: start.advanced(byMilliseconds: 10_000)) == nil)
    #expect(backoff.handleFailure(now: start.advanced(byMilliseconds: 10_001)) == nil)
  }

  /// A link that breaks once an hour during a long transfer must not add up.
  @Test("Progress resets both the pauses and the budget")
  func progress() throws {
    var backoff = Backoff(budgetSeconds: 10, seed: 1)
    for hour: UInt64 in 0..<20 {
      let now = start.advanced(byMilliseconds: hour * 3_600_000)
      for failure: UInt64 in 0..<5 {
        let next = backoff.handleFailure(now: now.advanced(byMilliseconds: failure))
        let pause = try #require(next)
        #expect(pause <= 200 << failure)
      }
      backoff.handleProgress()
    }
  }

  /// `--retry-for 0`.
  @Test("A budget of zero allows no second try, not even after progress")
  func budgetZero() {
    var backoff = Backoff(budgetSeconds: 0, seed: 1)
    #expect(backoff.handleFailure(now: start) == nil)
    backoff.handleProgress()
    #expect(backoff.handleFailure(now: start) == nil)
  }

  /// A number from a command line may be anything.
  @Test("The largest budget does not overflow")
  func largestBudget() {
    var backoff = Backoff(budgetSeconds: .max, seed: 1)
    for failure in 0..<2000 {
      #expect(backoff.handleFailure(now: start.advanced(byMilliseconds: UInt64(failure) << 40)) != nil)
    }
  }

  /// Two clients that lost the same server must not come back in step; one seed must replay.
  @Test("Pauses depend on the seed and on nothing else")
  func seeds() {
    func pauses(_ seed: UInt64) -> [UInt64?] {
      var backoff = Backoff(budgetSeconds: 600, seed: seed)
      return (0..<20).map { _ in backoff.handleFailure(now: start) }
    }
    #expect(pauses(1) == pauses(1))
    #expect(pauses(1) != pauses(2))
  }
}
