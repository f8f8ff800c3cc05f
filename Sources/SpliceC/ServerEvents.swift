// What C hears of a server.

internal import CSplice
internal import SpliceBase
internal import SpliceEngine
internal import SpliceWire

/// Calls the functions of the caller's options, on whatever thread it is called.
final class ServerEvents: ServerObserver, @unchecked Sendable {
  private let onEvent: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<splice_event>?) -> Void
  private let user: UnsafeMutableRawPointer?

  init(
    _ onEvent: @escaping @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<splice_event>?) -> Void,
    _ user: UnsafeMutableRawPointer?
  ) {
    self.onEvent = onEvent
    self.user = user
  }

  func clientDidConnect(_ id: UInt64, from address: [UInt8]) {
    var event = event(SPLICE_CLIENT_CONNECTED, client: id)
    withText(address) {
      event.address = $0
      onEvent(user, &event)
    }
  }

  func clientDidDisconnect(_ id: UInt64, because reason: SessionEnd) {
    var event = event(SPLICE_CLIENT_DISCONNECTED, client: id)
    event.result = reason.failureCode?.rawValue ?? 0
    event.text = reason.sentence.text
    onEvent(user, &event)
  }

  func transferDidBegin(_ transfer: TransferInfo) { send(SPLICE_TRANSFER_BEGAN, transfer, nil) }

  func transferDidAdvance(_ transfer: TransferInfo) { send(SPLICE_TRANSFER_PROGRESSED, transfer, nil) }

  func transferDidEnd(_ transfer: TransferInfo, _ end: TransferEnd) {
    send(SPLICE_TRANSFER_ENDED, transfer, end.failureCode ?? FailureCode(rawValue: 0))
  }

  func serverDidStop() {
    var event = event(SPLICE_SERVER_STOPPED, client: 0)
    onEvent(user, &event)
  }

  private func event(_ type: splice_event_type, client: UInt64) -> splice_event {
    var event = splice_event()
    event.size = MemoryLayout<splice_event>.size
    event.type = type
    event.client = client
    return event
  }

  private func send(_ type: splice_event_type, _ transfer: TransferInfo, _ result: FailureCode?) {
    var event = event(type, client: transfer.client)
    event.transfer = transfer.transfer
    event.direction = transfer.activity == .uploading ? SPLICE_UPLOAD : SPLICE_DOWNLOAD
    event.done = transfer.done
    event.total = transfer.size
    if let result {
      event.result = result.rawValue
      event.text = result.sentence.text
    }
    withText(transfer.path) {
      event.path = $0
      onEvent(user, &event)
    }
  }
}
