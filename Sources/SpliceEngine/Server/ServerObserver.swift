// What a program that embeds the server hears of its clients, one by one.

internal import SpliceBase
package import SpliceWire

/// One transfer of one client, as far as it is.
package struct TransferInfo: Equatable, Sendable {
  /// The client's number, `SessionEntry.id`.
  package let client: UInt64
  /// Never used twice by one client.
  package let transfer: UInt64
  /// `.uploading` or `.downloading`.
  package let activity: SessionActivity
  package let path: [UInt8]
  /// Bytes of the file that are here, or were sent; the transfer began with those that both ends had.
  package fileprivate(set) var done: UInt64 = 0
  package fileprivate(set) var size: UInt64 = 0
}

/// How a transfer ended.
package enum TransferEnd: Equatable, Sendable {
  /// An upload is on stable storage under its name; of a download everything was sent.
  case completed
  /// The client was told why.
  case failed(ErrorCode)
  /// The client left or gave up. What came of an upload is kept.
  case cut
}

/// Hears of clients and transfers, on the threads of their workers: calls about one client come in order, on
/// one thread; calls about several may come at once. They hold up the worker, so they should be short.
///
/// Whoever connected disconnects, and what began ends, once.
package protocol ServerObserver: AnyObject, Sendable {
  /// - Parameter address: with its port, as text.
  func clientDidConnect(_ id: UInt64, from address: [UInt8])
  func clientDidDisconnect(_ id: UInt64, because reason: SessionEnd)
  /// Both ends know where to go on.
  func transferDidBegin(_ transfer: TransferInfo)
  /// About a MiB further on, or, of an upload, back where a block arrived damaged.
  func transferDidAdvance(_ transfer: TransferInfo)
  func transferDidEnd(_ transfer: TransferInfo, _ end: TransferEnd)
}

/// Tells the observer about one transfer. Belongs to the worker's thread.
final class TransferReport {
  private enum State {
    case awaitingAgreement
    case underWay
    case ended
  }

  private let observer: any ServerObserver
  private var info: TransferInfo
  private var state = State.awaitingAgreement
  private var outcome = TransferEnd.cut

  private init(_ observer: any ServerObserver, _ info: TransferInfo) {
    self.observer = observer
    self.info = info
  }

  /// Nil when nobody observes. (No initializer that fails: in Embedded Swift that would leak the object.)
  static func make(
    _ connection: Connection, _ stream: UInt64, _ activity: SessionActivity, _ path: WirePath
  ) -> TransferReport? {
    guard let observer = connection.worker.shared.observer else { return nil }
    let info = TransferInfo(client: connection.id, transfer: stream, activity: activity, path: path.bytes)
    return TransferReport(observer, info)
  }

  func begin(at done: UInt64, of size: UInt64) {
    guard case .awaitingAgreement = state else { return }
    state = .underWay
    info.done = done
    info.size = size
    observer.transferDidBegin(info)
  }

  func advance(to done: UInt64) {
    guard case .underWay = state, info.done != done else { return }
    info.done = done
    observer.transferDidAdvance(info)
  }

  func complete() { outcome = .completed }

  func fail(_ code: ErrorCode) { outcome = .failed(code) }

  /// The stream is gone. Nobody hears of a transfer that never began.
  func end() {
    guard case .underWay = state else { return }
    state = .ended
    observer.transferDidEnd(info, outcome)
  }
}
