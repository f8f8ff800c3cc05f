// How long a task goes on: what it puts up with in a row, and how long it waits for the server.

internal import SpliceBase

/// Counts what goes wrong without anything going right in between.
struct Persistence {
  private static let restartsMax = 10
  private static let triesMax = 20
  /// A file that grows a little with each attempt must come to an end, too.
  private static let restartBytes: UInt64 = 64 << 20

  /// Attempts that ended because the file changed or a digest did not match.
  private var restarts = 0
  private var bytesSinceRestart: UInt64 = 0
  /// How often the first block that is missing was asked for again, and where it begins.
  private var repeats = 0
  private var missing = UInt64.max
  /// How often any block was, since there was progress.
  private var repeatsInAll = 0
  /// How far the file ever was; what was done before is no progress when it is done again.
  private var farthest: UInt64 = 0

  /// An attempt begins behind so many bytes.
  mutating func handleResume(at bytes: UInt64) {
    farthest = bytes
    missing = .max
  }

  /// Returns false when it was as far as this before.
  mutating func handleProgress(to bytes: UInt64) -> Bool {
    guard bytes > farthest else { return false }
    bytesSinceRestart += bytes - farthest
    farthest = bytes
    repeatsInAll = 0
    if bytes > missing { missing = .max }
    if bytesSinceRestart >= Self.restartBytes { restarts = 0 }
    return true
  }

  mutating func mayRestart() -> Bool {
    restarts += 1
    bytesSinceRestart = 0
    return restarts <= Self.restartsMax
  }

  /// The block that begins at `offset` is needed again. Those behind the first that is missing have their turn later.
  mutating func mayRepeat(blockAt offset: UInt64) -> Bool {
    if offset < missing {
      missing = offset
      repeats = 0
    }
    if offset == missing { repeats += 1 }
    repeatsInAll += 1
    return repeats <= Self.triesMax && repeatsInAll <= Self.triesMax * Limits.repeatsMax
  }
}

/// How long the server may take for its next message, while it is its turn. A live connection is not enough:
/// its thread may answer PING for ever, and never come to what was asked.
package struct Patience: Equatable {
  /// On top of what a run allows for any answer.
  package let extraMilliseconds: UInt64

  package static let forAnAnswer = Patience(extraMilliseconds: 0)

  /// For answers that need so many bytes read first, from a slow disk: 10 MB/s.
  package static func forReading(_ bytes: UInt64) -> Patience { Patience(extraMilliseconds: bytes / 10_000) }
}
