// When an upload's bytes are brought to stable storage.

internal import SpliceBase

/// A checkpoint is due when much is not on stable storage, or when the last one was long ago.
struct CheckpointClock {
  private var due: Instant

  init(now: Instant) { due = now }

  /// All that was received is on stable storage.
  mutating func restart(_ configuration: ServerConfiguration, now: Instant) {
    due = now.advanced(byMilliseconds: configuration.checkpointMilliseconds)
  }

  func isOver(_ now: Instant) -> Bool { due <= now }

  /// - Parameter unsynced: bytes received that are not on stable storage.
  func isDue(unsynced: UInt64, _ configuration: ServerConfiguration, now: Instant) -> Bool {
    unsynced >= configuration.checkpointBytes || due <= now
  }
}
