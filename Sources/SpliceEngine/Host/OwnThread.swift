// The thread that a host may start for itself.

package import SpliceUV

/// Runs once. Any thread may ask about it; one at a time may wait for its end.
package final class OwnThread: @unchecked Sendable {
  private let mutex = Mutex()
  // With the mutex.
  private var thread: LoopThread?
  private var id: UInt?

  package init() {}

  package func start(_ body: @escaping () -> Void) throws(UVError) {
    let thread = try LoopThread {
      self.mutex.withLock { self.id = LoopThread.current }
      body()
      // Another thread may get the number now.
      self.mutex.withLock { self.id = nil }
    }
    mutex.withLock { self.thread = thread }
  }

  /// It was started, and nobody has waited for its end.
  package var isThere: Bool { mutex.withLock { thread != nil } }

  /// The caller runs on it.
  package var isCurrent: Bool { mutex.withLock { id == LoopThread.current } }

  /// Waits for its end, if it was started and nobody has done so.
  package func join() { mutex.withLock { take() }?.join() }

  private func take() -> LoopThread? {
    defer { thread = nil }
    return thread
  }
}
