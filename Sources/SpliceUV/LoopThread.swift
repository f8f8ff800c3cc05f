// A thread of our own.

internal import CUV
internal import SpliceBase

/// Runs a closure on a new thread, usually to make, run and close a loop there.
///
/// - Ownership: the thread holds the closure until it has run. `join` exactly once.
/// - Threads: the compiler cannot check what the closure captures: hand over, do not share.
package final class LoopThread {
  private var thread = uv_thread_t()
  private var isJoined = false

  /// The corresponding C function is `uv_thread_create`.
  package init(_ body: @escaping () -> Void) throws(UVError) {
    // LIFETIME: +1 for the new thread, given back in threadDidStart, or here when there is no thread.
    let start = Unmanaged.passRetained(ThreadBody(body))
    let result = uv_thread_create(&thread, threadDidStart, start.toOpaque())
    if result < 0 {
      start.release()
      isJoined = true
      throw UVError(rawValue: result)
    }
  }

  deinit { require(isJoined, "a thread was dropped before it was joined") }

  /// A number that no other thread has that runs now. The corresponding C function is `uv_thread_self`.
  package static var current: UInt { UInt(uv_thread_self()) }

  /// Waits until the closure has returned; once. The corresponding C function is `uv_thread_join`.
  package func join() {
    require(!isJoined, "a thread was joined twice")
    let result = uv_thread_join(&thread)
    require(result == 0, "a thread could not be joined")
    isJoined = true
  }
}

private final class ThreadBody {
  let run: () -> Void

  init(_ run: @escaping () -> Void) { self.run = run }
}

private func threadDidStart(_ data: UnsafeMutableRawPointer?) {
  takeOwner(data, ThreadBody.self).run()
}
