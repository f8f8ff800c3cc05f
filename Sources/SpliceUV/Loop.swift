// The event loop of one thread.

internal import CUV
package import SpliceBase

/// A libuv loop.
///
/// - Ownership: handles and requests keep their loop alive. Whoever made it calls `close` at the end.
/// - Threads: belongs to the thread that runs it; before `run`, to the one that made it. A loop of another
///   program that was adopted is run by that program, and by nobody here.
/// - Invariants: `openHandleCount` handles and `inFlightCount` requests hold a reference to themselves.
package final class Loop {
  let pointer: UnsafeMutablePointer<uv_loop_t>
  /// It is the loop of another program.
  package let isAdopted: Bool
  private var isClosed = false
  private var onEmpty: (() -> Void)?

  /// Handles made and not yet reported closed.
  package private(set) var openHandleCount = 0
  /// Pool jobs and name look-ups submitted and not yet finished.
  package private(set) var inFlightCount = 0

  /// The corresponding C function is `uv_loop_init`.
  package init() throws(UVError) {
    let pointer = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
    let result = uv_loop_init(pointer)
    if result < 0 {
      pointer.deallocate()
      throw UVError(rawValue: result)
    }
    self.pointer = pointer
    isAdopted = false
  }

  /// Takes part in a loop that somebody else made, runs and closes. Only on the thread that runs it.
  ///
  /// - Parameter address: of an initialized `uv_loop_t`, valid until `whenEmpty` was heard.
  package init(adopting address: UnsafeMutableRawPointer) {
    pointer = address.assumingMemoryBound(to: uv_loop_t.self)
    isAdopted = true
    // Its time may be that of the last round, long ago; our timers count from now.
    uv_update_time(pointer)
  }

  deinit { require(isClosed, "a loop was dropped before it was closed") }

  /// Runs until no handle is active and no request in flight.
  ///
  /// - Returns: whether there is still something to run for.
  /// The corresponding C function is `uv_run` with `UV_RUN_DEFAULT`.
  @discardableResult
  package func run() -> Bool { runMode(UV_RUN_DEFAULT) }

  /// Waits for at least one event and handles it. The C function is `uv_run` with `UV_RUN_ONCE`.
  @discardableResult
  package func runOnce() -> Bool { runMode(UV_RUN_ONCE) }

  /// Handles what is due without waiting. The C function is `uv_run` with `UV_RUN_NOWAIT`.
  @discardableResult
  package func runPending() -> Bool { runMode(UV_RUN_NOWAIT) }

  private func runMode(_ mode: uv_run_mode) -> Bool {
    require(!isClosed, "a closed loop was run")
    require(!isAdopted, "the loop of another program was run")
    return uv_run(pointer, mode) != 0
  }

  /// The time at which the present round of callbacks began. The corresponding C function is `uv_now`.
  package var now: Instant {
    require(!isClosed, "a closed loop was asked for the time")
    return Instant(milliseconds: uv_now(pointer))
  }

  /// Frees the loop, or leaves the one that was adopted as it is. Every handle must have been reported closed
  /// and every request finished.
  ///
  /// The corresponding C function is `uv_loop_close`.
  package func close() {
    require(!isClosed, "a loop was closed twice")
    if !isAdopted, uv_loop_close(pointer) != 0 { nameLeak() }
    require(openHandleCount == 0, "the count of open handles is wrong")
    require(inFlightCount == 0, "the count of requests in flight is wrong")
    isClosed = true
    if !isAdopted { pointer.deallocate() }
  }

  /// Calls `body` once, when the last handle is closed and the last request finished. For a loop that was
  /// adopted, where no `run` returns.
  package func whenEmpty(_ body: @escaping () -> Void) {
    require(openHandleCount > 0, "an empty loop was asked to say when it is empty")
    onEmpty = body
  }

  private func noteIfEmpty() {
    guard openHandleCount == 0, inFlightCount == 0, let body = onEmpty else { return }
    onEmpty = nil
    body()
  }

  func handleDidOpen() { openHandleCount += 1 }

  func handleDidClose() {
    require(openHandleCount > 0, "more handles were closed than opened")
    openHandleCount -= 1
    noteIfEmpty()
  }

  func requestDidSubmit() { inFlightCount += 1 }

  func requestDidFinish() {
    require(inFlightCount > 0, "more requests finished than were submitted")
    inFlightCount -= 1
    noteIfEmpty()
  }

  /// The corresponding C function is `uv_walk`.
  private func nameLeak() -> Never {
    var leaked = UV_UNKNOWN_HANDLE
    withUnsafeMutablePointer(to: &leaked) { uv_walk(pointer, loopDidVisit, $0) }
    switch leaked {
    case UV_TIMER: panic("a loop was closed with an open timer")
    case UV_POLL: panic("a loop was closed with an open socket watcher")
    case UV_ASYNC: panic("a loop was closed with an open wakeup")
    case UV_SIGNAL: panic("a loop was closed with an open signal watcher")
    case UV_UNKNOWN_HANDLE: panic("a loop was closed with a request in flight")
    default: panic("a loop was closed with an open handle")
    }
  }
}

private func loopDidVisit(_ handle: UnsafeMutablePointer<uv_handle_t>?, _ into: UnsafeMutableRawPointer?) {
  guard let handle, let into else { return }
  into.assumingMemoryBound(to: uv_handle_type.self).pointee = handle.pointee.type
}
