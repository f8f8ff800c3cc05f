// Points in time.

import SpliceBase
import Testing

@Suite("Time") struct TimeTests {
  /// Durations never become huge because two readings came in the wrong order.
  @Test("Time since a later instant is zero")
  func neverNegative() {
    let early = Instant(milliseconds: 1_000)
    let late = early.advanced(byMilliseconds: 250)
    #expect(early < late)
    #expect(late.milliseconds(since: early) == 250)
    #expect(early.milliseconds(since: late) == 0)
    #expect(early.milliseconds(since: early) == 0)
  }

  /// A timestamp is its two fields and nothing else.
  @Test("Timestamps are equal when seconds and nanoseconds are")
  func timestampsCompareByField() {
    let time = Timestamp(seconds: -1, nanoseconds: 5)
    #expect(time == Timestamp(seconds: -1, nanoseconds: 5))
    #expect(time != Timestamp(seconds: -1, nanoseconds: 6))
    #expect(time != Timestamp(seconds: 1, nanoseconds: 5))
  }
}
