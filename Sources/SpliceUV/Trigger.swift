// A wakeup that other threads may pull at any time, also when its loop has ended.

internal import SpliceBase

/// Calls a closure on the loop's thread after `pull` was called on any.
///
/// - Ownership: open from the beginning; keeps its loop going until `close`.
/// - Threads: `pull` from any, before and after `close`; everything else on the loop's.
package final class Trigger: @unchecked Sendable {
  private let mutex = Mutex()
  private let wakeup: Wakeup
  private var isClosed = false

  package init(_ loop: Loop, onPull: @escaping () -> Void) throws(UVError) {
    wakeup = try Wakeup(loop, onWake: onPull)
  }

  /// Nothing happens once it is closed.
  package func pull() {
    mutex.withLock {
      if !isClosed { wakeup.signal() }
    }
  }

  /// Idempotent.
  package func close() {
    mutex.withLock { isClosed = true }
    wakeup.close()
  }
}
