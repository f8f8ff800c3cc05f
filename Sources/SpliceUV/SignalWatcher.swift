// Signals of the operating system as events of a loop.

internal import CUV
internal import SpliceBase

/// Calls a closure on the loop's thread whenever the process receives a signal.
///
/// - Ownership: the loop keeps it alive until it is closed.
package final class SignalWatcher {
  private let loop: Loop
  private let handle: UnsafeMutablePointer<uv_signal_t>
  private var state = HandleState.open
  private var onSignal: (() -> Void)?
  private var onClosed: (() -> Void)?

  /// Numbers that Splice listens to; see signal(7).
  package static let hangUp: Int32 = 1
  package static let interrupt: Int32 = 2
  package static let userOne: Int32 = 10
  package static let userTwo: Int32 = 12
  package static let terminate: Int32 = 15
  package static let windowChanged: Int32 = 28

  /// Watches at once, in place of what the signal would do by default.
  ///
  /// - Throws: for a number that cannot be watched.
  /// The corresponding C functions are `uv_signal_init` and `uv_signal_start`.
  package init(_ loop: Loop, signal: Int32, onSignal: @escaping () -> Void) throws(UVError) {
    let handle = UnsafeMutablePointer<uv_signal_t>.allocate(capacity: 1)
    let result = uv_signal_init(loop.pointer, handle)
    if result < 0 {
      handle.deallocate()
      throw UVError(rawValue: result)
    }
    self.loop = loop
    self.handle = handle
    self.onSignal = onSignal
    loop.handleDidOpen()
    // LIFETIME: +1 for the loop, given back in signalDidClose.
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    let started = uv_signal_start(handle, signalDidArrive, signal)
    if started < 0 {
      close()
      throw UVError(rawValue: started)
    }
  }

  deinit { require(state == .closed, "a signal watcher was dropped before it was closed") }

  /// Gives the signal its default effect back; idempotent. `closed` is called later, by the loop.
  /// The corresponding C function is `uv_close`.
  package func close(_ closed: (() -> Void)? = nil) {
    if state != .open { return }
    state = .closing
    onClosed = closed
    uv_close(baseHandle(handle), signalDidClose)
  }

  fileprivate func didArrive() {
    if state == .open { onSignal?() }
  }

  fileprivate func didClose() {
    state = .closed
    onSignal = nil
    let closed = onClosed
    onClosed = nil
    handle.deallocate()
    closed?()
    // Last, for the loop may find itself empty.
    loop.handleDidClose()
  }
}

private func signalDidArrive(_ handle: UnsafeMutablePointer<uv_signal_t>?, _ signal: Int32) {
  withOwner(handle?.pointee.data, SignalWatcher.self) { $0.didArrive() }
}

private func signalDidClose(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  takeOwner(handle?.pointee.data, SignalWatcher.self).didClose()
}
