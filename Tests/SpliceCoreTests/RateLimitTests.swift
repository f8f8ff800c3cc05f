// So many bytes a second, counted.

import SpliceBase
import SpliceCore
import Testing

@Suite struct RateLimitTests {
  private func at(_ milliseconds: UInt64) -> Instant { Instant(milliseconds: milliseconds) }

  @Test func beginsWithATenthOfASecond() {
    var limit = RateLimit(bytesPerSecond: 1000, now: at(5))
    #expect(limit.allowance(now: at(5)) == 100)
    limit.take(100)
    #expect(limit.allowance(now: at(5)) == 0)
  }

  @Test func fillsSteadilyAndNoHigherThanItsBurst() {
    var limit = RateLimit(bytesPerSecond: 1000, now: at(0))
    limit.take(100)
    #expect(limit.allowance(now: at(30)) == 30)
    #expect(limit.allowance(now: at(100)) == 100)
    #expect(limit.allowance(now: at(60_000)) == 100)
  }

  /// Looking often must not lose the parts of a byte.
  @Test func frequentLooksCostNothing() {
    var limit = RateLimit(bytesPerSecond: 100, now: at(0))
    limit.take(10)
    for time in stride(from: UInt64(1), through: 100, by: 3) { _ = limit.allowance(now: at(time)) }
    #expect(limit.allowance(now: at(100)) == 10)
  }

  /// However often somebody asks, and whatever does not divide: what goes in ten seconds is the rate, to the byte.
  @Test(arguments: [1, 3, 999, 1000, 1001, 1500, 2 << 20, 1_234_567_891], [1, 2, 3, 7, 20])
  func whoAsksOftenGetsNoMoreAndNoLess(_ rate: UInt64, _ step: UInt64) {
    var limit = RateLimit(bytesPerSecond: rate, now: at(0))
    limit.take(limit.allowance(now: at(0)))
    var total = 0
    for time in stride(from: step, through: 10_000, by: Int(step)) {
      let allowed = limit.allowance(now: at(time))
      limit.take(allowed)
      total += allowed
    }
    let milliseconds = 10_000 / step * step
    #expect(total == Int(rate * milliseconds / 1000))
  }

  @Test func overdraftIsPaidBack() {
    var limit = RateLimit(bytesPerSecond: 1000, now: at(0))
    limit.take(300)
    #expect(limit.allowance(now: at(200)) == 0)
    #expect(limit.allowance(now: at(250)) == 50)
  }

  @Test(arguments: [UInt64(1), 1 << 40, .max]) func extremesDoNotOverflow(rate: UInt64) {
    var limit = RateLimit(bytesPerSecond: rate, now: at(0))
    limit.take(.max)
    _ = limit.allowance(now: at(.max))
    #expect(limit.allowance(now: at(.max)) >= 0)
  }
}
