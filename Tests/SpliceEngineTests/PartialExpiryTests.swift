// Ages of partials on clocks that run, jump and were never set.

import SpliceBase
import SpliceEngine
import Testing

@Suite struct PartialExpiryTests {
  private static let day: UInt64 = 86_400
  private static let week = 7 * day
  /// Some day in 2026.
  private static let wall: Int64 = 1_790_000_000

  private let start = Instant(milliseconds: 5_000_000)

  private func time(_ seconds: Int64) -> Timestamp { Timestamp(seconds: seconds, nanoseconds: 0) }

  /// An expiry of a week in a daemon that has been up for `upSeconds`, on a clock set at `wall`.
  private func verdict(
    touched: Int64, wall: Int64 = wall, upSeconds: UInt64 = day, jumpSeconds: Int64 = 0, expiry: UInt64 = week
  ) -> PartialExpiry.Verdict {
    let boot = wall - Int64(upSeconds) - 100
    var expiry = PartialExpiry(seconds: expiry, now: start, bootTime: time(boot - jumpSeconds))
    expiry.beginSweep(bootTime: time(boot))
    return expiry.verdict(
      touched: time(touched), now: start.advanced(byMilliseconds: 1000 * upSeconds), wall: time(wall))
  }

  @Test func agesCountOnAClockThatRuns() {
    #expect(verdict(touched: Self.wall - Int64(Self.week) + 1) == .keep)
    #expect(verdict(touched: Self.wall - Int64(Self.week)) == .remove)
    #expect(verdict(touched: Self.wall) == .keep)
    #expect(verdict(touched: Self.wall + 59) == .keep)
  }

  /// While the daemon was down nobody could come back; give them an hour.
  @Test func nothingExpiresAtTheStart() {
    let touched = Self.wall - 10 * Int64(Self.week)
    #expect(verdict(touched: touched, upSeconds: 0) == .keep)
    #expect(verdict(touched: touched, upSeconds: 3599) == .keep)
    #expect(verdict(touched: touched, upSeconds: 3600) == .remove)
    #expect(verdict(touched: touched, upSeconds: 9, expiry: 10) == .keep)
    #expect(verdict(touched: touched, upSeconds: 10, expiry: 10) == .remove)
  }

  /// Begun in 1970, and then the time server answered: 56 years old at once, and not to be removed.
  @Test func clockThatWasNeverSetSaysNothingOfAnAge() {
    #expect(verdict(touched: 120, jumpSeconds: Self.wall) == .startOver)
    // The jump happened before the daemon started.
    #expect(verdict(touched: 120) == .startOver)
    // Nobody has set the clock yet: ages of this run count.
    #expect(verdict(touched: 120, wall: 200_000) == .keep)
    #expect(verdict(touched: 120, wall: 120 + Int64(Self.week)) == .remove)
  }

  /// A clock that was set to the last shutdown, and then jumped by some months.
  @Test func jumpsInEitherDirectionStartOver() {
    let touched = Self.wall - 10 * Int64(Self.week)
    #expect(verdict(touched: touched, jumpSeconds: 10 * Int64(Self.week)) == .startOver)
    #expect(verdict(touched: touched, jumpSeconds: 60) == .startOver)
    #expect(verdict(touched: touched, jumpSeconds: 59) == .remove)
    #expect(verdict(touched: touched, jumpSeconds: -60) == .startOver)
    // A time in the future would never pass.
    #expect(verdict(touched: Self.wall + 61) == .startOver)
  }

  /// A jump counts in the sweep that sees it, and not in the next one.
  @Test func jumpIsOverAfterOneSweep() {
    var expiry = PartialExpiry(seconds: 10, now: start, bootTime: time(100))
    let later = start.advanced(byMilliseconds: 20_000)
    let (touched, wall) = (time(Self.wall - 100), time(Self.wall))
    expiry.beginSweep(bootTime: time(Self.wall - 500))
    #expect(expiry.verdict(touched: touched, now: later, wall: wall) == .startOver)
    expiry.beginSweep(bootTime: time(Self.wall - 500))
    #expect(expiry.verdict(touched: touched, now: later, wall: wall) == .remove)
  }
}
