// How fast bytes go, smoothed over a few seconds.

package import SpliceBase

/// The mean rate over the last five seconds of a count that only grows.
package struct RateMeter {
  private static let spacingMilliseconds: UInt64 = 250
  private static let sampleCountMax = 20

  private struct Sample {
    var time: Instant
    var count: UInt64
  }

  /// Oldest first, `spacingMilliseconds` apart: 20 of them are 5 seconds.
  private var samples: [Sample] = []
  private var newest: Sample?

  package init() {}

  package mutating func record(_ count: UInt64, now: Instant) {
    let sample = Sample(time: now, count: count)
    newest = sample
    if let last = samples.last, now.milliseconds(since: last.time) < Self.spacingMilliseconds { return }
    if samples.count == Self.sampleCountMax { samples.removeFirst() }
    samples.append(sample)
  }

  /// Nil until there is enough to tell.
  package var bytesPerSecond: UInt64? {
    guard let oldest = samples.first, let newest else { return nil }
    let milliseconds = newest.time.milliseconds(since: oldest.time)
    guard milliseconds >= Self.spacingMilliseconds, newest.count >= oldest.count else { return nil }
    // 2^64 / 1000 bytes in five seconds is out of reach, but a wrong count must not trap.
    let (scaled, overflow) = (newest.count - oldest.count).multipliedReportingOverflow(by: 1000)
    return overflow ? nil : scaled / milliseconds
  }
}
