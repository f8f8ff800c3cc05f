// A lock, because Embedded Swift's Synchronization has none.

internal import CUV
internal import SpliceBase

/// Mutual exclusion between threads. Not recursive.
package final class Mutex: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<uv_mutex_t>

  /// The corresponding C function is `uv_mutex_init`.
  package init() {
    mutex = UnsafeMutablePointer<uv_mutex_t>.allocate(capacity: 1)
    let result = uv_mutex_init(mutex)
    require(result == 0, "a mutex could not be made")
  }

  deinit {
    uv_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Runs `body` while no other thread does so with this mutex. Keep it short; never call out from it.
  /// The corresponding C functions are `uv_mutex_lock` and `uv_mutex_unlock`.
  @inline(__always)
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body()
  }

  package func lock() { uv_mutex_lock(mutex) }

  package func unlock() { uv_mutex_unlock(mutex) }
}
