// Readiness of a socket that someone else owns.

internal import CUV
internal import SpliceBase

/// What a socket is ready for.
package struct PollEvents: OptionSet, Sendable {
  package let rawValue: Int32

  package init(rawValue: Int32) { self.rawValue = rawValue }

  /// Bytes, a connection to accept, the peer's end, or an error to find by reading.
  package static let readable = PollEvents(rawValue: 1)
  /// Room in the send buffer, a finished connect, or an error to find by writing.
  package static let writable = PollEvents(rawValue: 2)
  /// The peer closed or shut down its side, perhaps with bytes still to be read.
  package static let disconnect = PollEvents(rawValue: 4)
}

/// Says when a socket can be read or written without blocking.
///
/// - Ownership: the loop keeps it alive until it is closed. It never closes the descriptor: call `close`
///   here, which stops at once, and then the socket may be closed too, in the same callback. The other way
///   round, the number could already name another connection while it is still watched.
/// - Limits: one watcher a descriptor.
package final class SocketWatcher {
  private let loop: Loop
  private let handle: UnsafeMutablePointer<uv_poll_t>
  private var state = HandleState.open
  private var watched: PollEvents = []
  private var onClosed: (() -> Void)?

  /// Called on the loop's thread with what the socket is ready for. A failed poll comes as readable and
  /// writable, with the watching over: reading or writing will say what is wrong.
  package var onEvents: ((PollEvents) -> Void)?

  /// Watches nothing yet. The corresponding C function is `uv_poll_init`.
  ///
  /// - Throws: when `descriptor` is of a kind that cannot be polled.
  package init(_ loop: Loop, descriptor: Int32) throws(UVError) {
    let handle = UnsafeMutablePointer<uv_poll_t>.allocate(capacity: 1)
    let result = uv_poll_init(loop.pointer, handle, descriptor)
    if result < 0 {
      handle.deallocate()
      throw UVError(rawValue: result)
    }
    self.loop = loop
    self.handle = handle
    loop.handleDidOpen()
    // LIFETIME: +1 for the loop, given back in pollDidClose.
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  deinit { require(state == .closed, "a socket watcher was dropped before it was closed") }

  /// Watches for exactly `events` from now on; free when that is what it does already.
  ///
  /// The corresponding C functions are `uv_poll_start` and `uv_poll_stop`.
  package func watch(_ events: PollEvents) {
    require(state == .open, "a closed socket watcher was started")
    if events == watched { return }
    watched = events
    if events.isEmpty {
      uv_poll_stop(handle)
      return
    }
    var mask: UInt32 = 0
    if events.contains(.readable) { mask |= UV_READABLE.rawValue }
    if events.contains(.writable) { mask |= UV_WRITABLE.rawValue }
    if events.contains(.disconnect) { mask |= UV_DISCONNECT.rawValue }
    let result = uv_poll_start(handle, Int32(mask), pollDidReport)
    require(result == 0, "an open socket watcher did not start")
  }

  /// What is being watched.
  package var events: PollEvents { watched }

  /// As `watch([])`.
  package func stop() { watch([]) }

  /// Stops at once: the socket may be closed as soon as this returns. Idempotent.
  ///
  /// - Parameter closed: called later, by the loop; the first one given counts.
  /// The corresponding C functions are `uv_poll_stop` and `uv_close`.
  package func close(_ closed: (() -> Void)? = nil) {
    if state != .open { return }
    state = .closing
    watched = []
    onClosed = closed
    uv_poll_stop(handle)
    uv_close(baseHandle(handle), pollDidClose)
  }

  fileprivate func didReport(_ status: Int32, _ mask: Int32) {
    if state != .open { return }
    if status < 0 {
      // libuv has stopped the handle before it reports an error.
      watched = []
      onEvents?([.readable, .writable])
      return
    }
    var events: PollEvents = []
    if mask & Int32(UV_READABLE.rawValue) != 0 { events.insert(.readable) }
    if mask & Int32(UV_WRITABLE.rawValue) != 0 { events.insert(.writable) }
    if mask & Int32(UV_DISCONNECT.rawValue) != 0 { events.insert(.disconnect) }
    onEvents?(events)
  }

  fileprivate func didClose() {
    state = .closed
    onEvents = nil
    let closed = onClosed
    onClosed = nil
    handle.deallocate()
    closed?()
    // Last, for the loop may find itself empty.
    loop.handleDidClose()
  }
}

private func pollDidReport(_ handle: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32) {
  withOwner(handle?.pointee.data, SocketWatcher.self) { $0.didReport(status, events) }
}

private func pollDidClose(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
  takeOwner(handle?.pointee.data, SocketWatcher.self).didClose()
}
