// Reading the system's clocks.

internal import CPlatform
package import SpliceBase

/// The only reader of clocks; machines get their times passed in.
package enum SystemClock {
  /// On the same time line as `Loop.now`. The corresponding C function is `clock_gettime(2)`.
  package static func monotonicNow() -> Instant {
    Instant(milliseconds: UInt64(csplice_monotonic_milliseconds()))
  }

  /// The corresponding C function is `clock_gettime(2)` with `CLOCK_REALTIME`.
  package static func wallNow() -> Timestamp {
    var now = Timestamp(seconds: 0, nanoseconds: 0)
    csplice_wall_time(&now.seconds, &now.nanoseconds)
    return now
  }

  /// When this machine started, by the wall clock of now: moves when the wall clock is set.
  package static func bootTime() -> Timestamp {
    var boot = Timestamp(seconds: 0, nanoseconds: 0)
    csplice_boot_time(&boot.seconds, &boot.nanoseconds)
    return boot
  }
}
