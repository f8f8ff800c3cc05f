// When an unfinished upload has been left alone for too long, on machines whose clock cannot be trusted.

package import SpliceBase

/// Decides what happens to partials by their age. Knows no clock and no disk.
///
/// A small board has no clock that runs while it is off. It wakes up in 1970, or at the moment of its last
/// shutdown, and jumps years ahead once it has reached a time server. So the age of a partial is only believed
/// when the clock did not jump meanwhile; otherwise it starts over. And a daemon that has just started removes
/// nothing: while it was down, nobody could come back.
package struct PartialExpiry {
  package enum Verdict: Equatable {
    case keep
    /// Keep it, and count its age from now on.
    case startOver
    case remove
  }

  /// How long somebody gets to come back after a start, at most.
  private static let pauseSecondsMax: UInt64 = 3600
  /// Clocks are corrected by a second now and then; that is no jump.
  private static let jumpSecondsMin: Int64 = 60
  /// 2020-01-01: before Splice was written. A clock that says less was never set.
  private static let oldestPlausible: Int64 = 1_577_836_800

  /// The age at which a partial may go; can change from sweep to sweep.
  package var seconds: UInt64
  private let startedAt: Instant
  private var bootTime: Timestamp
  private var hasJumped = false

  /// - Parameter bootTime: when the machine started by its wall clock of now; it moves when the clock is set.
  package init(seconds: UInt64, now: Instant, bootTime: Timestamp) {
    self.seconds = seconds
    startedAt = now
    self.bootTime = bootTime
  }

  /// How long the daemon has to be up before it removes anything.
  private var pauseSeconds: UInt64 { max(1, min(seconds, Self.pauseSecondsMax)) }

  /// Before the partials of a sweep: looks whether the clock was set since the last one.
  package mutating func beginSweep(bootTime: Timestamp) {
    let difference = bootTime.seconds - self.bootTime.seconds
    hasJumped = difference.magnitude >= Self.jumpSecondsMin.magnitude
    self.bootTime = bootTime
  }

  /// - Parameter touched: when somebody last came back for it, or its age was started over.
  package func verdict(touched: Timestamp, now: Instant, wall: Timestamp) -> Verdict {
    let wasUnset = touched.seconds < Self.oldestPlausible && wall.seconds >= Self.oldestPlausible
    if hasJumped || wasUnset || touched.seconds > wall.seconds + Self.jumpSecondsMin { return .startOver }
    guard now.milliseconds(since: startedAt) >= 1000 * pauseSeconds else { return .keep }
    let age = touched.age(at: wall.seconds)
    return age > 0 && age >= seconds ? .remove : .keep
  }
}

extension Timestamp {
  /// Seconds from this time to `now`; 0 when it is later. Times of files may be any: peers say what they are.
  func age(at now: Int64) -> UInt64 { now > seconds ? UInt64(bitPattern: now &- seconds) : 0 }
}
