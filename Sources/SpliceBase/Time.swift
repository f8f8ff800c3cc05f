// Points in time as distinct types: monotonic for deadlines, wall clock for what is stored in files.

/// A point on the monotonic clock, in milliseconds since an arbitrary start. Never stored or sent.
package struct Instant: Equatable, Comparable, Sendable {
  package var milliseconds: UInt64

  package init(milliseconds: UInt64) { self.milliseconds = milliseconds }

  package static func < (left: Instant, right: Instant) -> Bool { left.milliseconds < right.milliseconds }

  /// The instant `milliseconds` later.
  package func advanced(byMilliseconds milliseconds: UInt64) -> Instant {
    Instant(milliseconds: self.milliseconds &+ milliseconds)
  }

  /// Milliseconds since `earlier`; 0 when `earlier` is later than this instant.
  package func milliseconds(since earlier: Instant) -> UInt64 {
    milliseconds > earlier.milliseconds ? milliseconds - earlier.milliseconds : 0
  }
}

/// A point on the wall clock as file systems keep it: seconds since 1970-01-01T00:00:00Z and nanoseconds.
package struct Timestamp: Equatable, Sendable {
  package var seconds: Int64
  /// 0 ..< 1,000,000,000.
  package var nanoseconds: UInt32

  package init(seconds: Int64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }
}
