// One timer of a loop.

internal import CUV
internal import SpliceBase

/// Calls a closure once or repeatedly, on the loop's thread.
///
/// - Ownership: the loop keeps it alive until it is closed; `close` it, dropping it is not enough. The
///   closure is released when the timer has closed, which breaks every cycle through it.
package final class Timer {
  private let loop: Loop
  private let handle: UnsafeMutablePointer<uv_timer_t>
  private var state = HandleState.open
  private var onFire: (() -> Void)?
  private var onClosed: (() -> Void)?

  /// - Parameter onFire: what `start(after:repeating:)` without a closure of its own calls.
  /// The corresponding C function is `uv_timer_init`.
  package init(_ loop: Loop, onFire: (() -> Void)? = nil) throws(UVError) {
    let handle = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)
    let result = uv_timer_init(loop.pointer, handle)
    if result < 0 {
      handle.deallocate()
      throw UVError(rawValue: result)
    }
    self.loop = loop
    self.handle = handle
    self.onFire = onFire
    loop.handleDidOpen()
    // LIFETIME: +1 for the loop, given back in timerDidClose.
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  deinit { require(state == .closed, "a timer was dropped before it was closed") }

  /// Waits for `milliseconds` from the loop's present time, then every `repeating` milliseconds unless 0.
  ///
  /// Starts over when it is already waiting. No allocation.
  /// The corresponding C function is `uv_timer_start`.
  package func start(after milliseconds: UInt64, repeating: UInt64 = 0) {
    require(state == .open, "a closed timer was started")
    require(onFire != nil, "a timer was started without a closure")
    let result = uv_timer_start(handle, timerDidFire, milliseconds, repeating)
    require(result == 0, "an open timer did not start")
  }

  /// As above, and from now on calls `fire`.
  package func start(after milliseconds: UInt64, repeating: UInt64 = 0, _ fire: @escaping () -> Void) {
    onFire = fire
    start(after: milliseconds, repeating: repeating)
  }

  /// Nothing happens when it is not waiting. The corresponding C function is `uv_timer_stop`.
  package func stop() {
    require(state == .open, "a closed timer was stopped")
    uv_timer_stop(handle)
  }

  /// Whether it is waiting. The corresponding C function is `uv_is_active`.
  package var isActive: Bool { state == .open && uv_is_active(baseHandle(handle)) != 0 }

  /// Does not fire again; idempotent. `closed` is called later, by the loop: the first one given counts.
  /// The corresponding C function is `uv_close`.
  package func close(_ closed: (() -> Void)? = nil) {
    if state != .open { return }
    state = .closing
    onClosed = closed
    uv_close(baseHandle(handle), timerDidClose)
  }

  fileprivate func didFire() {
    if state == .open { onFire?() }
  }

  fileprivate func didClose() {
    state = .closed
    onFire = nil
    let closed = onClosed
    onClosed = nil
    handle.deallocate()
    closed?()
    // Last, for the loop may find itself empty.
    loop.handleDidClose()
  }
}

private func timerDidFire(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
  withOwner(handle?.pointee.data, Timer.self) { $0.didFire() }
}

private func timerDidClose(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  takeOwner(handle?.pointee.data, Timer.self).didClose()
}
