// The one call into a loop that other threads may make.

internal import CUV
internal import SpliceBase

/// Makes a loop call `onWake`, from any thread.
///
/// - Ownership: the loop keeps it alive until it is closed. Signals coalesce, so `onWake` empties the whole
///   mailbox behind it.
/// - Threads: `signal` from any; everything else on the loop's. It must be closed after the last `signal`
///   has returned: mark the mailbox closed under its lock first, and signal only under that lock.
package final class Wakeup: @unchecked Sendable {
  private let loop: Loop
  private let handle: UnsafeMutablePointer<uv_async_t>
  private var state = HandleState.open
  private var onClosed: (() -> Void)?

  /// Called on the loop's thread, once for one or more signals.
  package var onWake: (() -> Void)?

  /// The corresponding C function is `uv_async_init`.
  package init(_ loop: Loop, onWake: (() -> Void)? = nil) throws(UVError) {
    let handle = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
    let result = uv_async_init(loop.pointer, handle, asyncDidWake)
    if result < 0 {
      handle.deallocate()
      throw UVError(rawValue: result)
    }
    self.loop = loop
    self.handle = handle
    self.onWake = onWake
    loop.handleDidOpen()
    // LIFETIME: +1 for the loop, given back in asyncDidClose.
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  deinit { require(state == .closed, "a wakeup was dropped before it was closed") }

  /// Any thread, before `close`. The corresponding C function is `uv_async_send`.
  package func signal() { uv_async_send(handle) }

  /// Lets the loop's `run` return although this is open. The corresponding C function is `uv_unref`.
  package func letLoopEnd() {
    require(state == .open, "a closed wakeup was changed")
    uv_unref(baseHandle(handle))
  }

  /// Idempotent. `closed` is called later, by the loop: the first one given counts.
  /// The corresponding C function is `uv_close`.
  package func close(_ closed: (() -> Void)? = nil) {
    if state != .open { return }
    state = .closing
    onClosed = closed
    uv_close(baseHandle(handle), asyncDidClose)
  }

  fileprivate func didWake() {
    if state == .open { onWake?() }
  }

  fileprivate func didClose() {
    state = .closed
    onWake = nil
    let closed = onClosed
    onClosed = nil
    handle.deallocate()
    closed?()
    // Last, for the loop may find itself empty.
    loop.handleDidClose()
  }
}

private func asyncDidWake(_ handle: UnsafeMutablePointer<uv_async_t>?) {
  withOwner(handle?.pointee.data, Wakeup.self) { $0.didWake() }
}

private func asyncDidClose(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  takeOwner(handle?.pointee.data, Wakeup.self).didClose()
}
