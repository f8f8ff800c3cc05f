// So many bytes a second, and not more.

package import SpliceBase

/// A token bucket: it fills at a steady rate, up to a tenth of a second's worth, and every byte takes one.
///
/// It may be overdrawn by what was sent before anybody asked; then it has to fill up first.
package struct RateLimit: Sendable {
  /// How much may come at once after a pause, in milliseconds of the rate.
  private static let burstMilliseconds: UInt64 = 100

  package let bytesPerSecond: UInt64
  private var level: Int64
  /// Thousandths of a byte that `level` does not count: looked at every millisecond, they are the rate.
  private var fraction: UInt64 = 0
  private var filledAt: Instant

  /// - Parameter bytesPerSecond: at least 1.
  package init(bytesPerSecond: UInt64, now: Instant) {
    require(bytesPerSecond > 0, "a rate of nothing would never end")
    self.bytesPerSecond = bytesPerSecond
    filledAt = now
    level = 0
    level = capacity
  }

  private var capacity: Int64 {
    let (product, overflow) = bytesPerSecond.multipliedReportingOverflow(by: Self.burstMilliseconds)
    return max(1, Int64(clamping: overflow ? UInt64(Int64.max) : product / 1000))
  }

  /// Bytes that may go now; 0 means: wait.
  package mutating func allowance(now: Instant) -> Int {
    let (product, overflow) = bytesPerSecond.multipliedReportingOverflow(by: now.milliseconds(since: filledAt))
    let (thousandths, carry) = product.addingReportingOverflow(fraction)
    let gained = overflow || carry ? .max : thousandths / 1000
    fraction = thousandths % 1000
    filledAt = now
    level += min(Int64(clamping: gained), capacity - level)
    return Int(clamping: max(0, level))
  }

  package mutating func take(_ count: Int) { level -= Int64(count) }
}
