// What a server says of its clients.

internal import SpliceBase
internal import SpliceEngine
internal import SpliceWire
internal import Synchronization

extension SpliceServer {
  /// What a client does. Whoever connected disconnects, and what began ends, once.
  public enum Event: Hashable, Sendable {
    /// With the client's address and port.
    case connected(ClientID, address: String)
    /// Nil: the client left.
    case disconnected(ClientID, SpliceError.Code?)
    /// Both ends know where to go on: at `done`.
    case transferBegan(Transfer)
    /// About a MiB further on, or, of an upload, back where a block arrived damaged.
    case transferProgressed(Transfer)
    /// Nil: an upload is on stable storage under its name; of a download everything was sent.
    /// ``SpliceError/Code/disconnected``: the client left or gave up, and what came of an upload is kept.
    case transferEnded(Transfer, SpliceError.Code?)
  }

  /// One transfer of one client.
  public struct Transfer: Hashable, Sendable {
    public let client: ClientID
    /// Never used twice by one client.
    public let number: UInt64
    /// To the server; else from there.
    public let isUpload: Bool
    /// Below the folder.
    public let path: SplicePath
    /// Bytes of the file that are here, or were sent.
    public let done: UInt64
    /// Bytes of the file.
    public let total: UInt64
  }

  /// A client, as it is at the moment.
  public struct Client: Hashable, Sendable, Identifiable {
    public enum Activity: Hashable, Sendable {
      case idle
      case uploading
      case downloading
      /// Listing, verifying, removing.
      case asking
    }

    public let id: ClientID
    /// With its port.
    public let address: String
    /// Of the oldest of its requests, as `path`, `done` and `total`.
    public let activity: Activity
    public let path: SplicePath
    /// Bytes.
    public let done: UInt64
    /// Bytes.
    public let total: UInt64
    /// Since it connected.
    public let age: Duration
    /// Since something useful came or went.
    public let quiet: Duration
    /// Bytes over the wire.
    public let received: UInt64
    /// Bytes over the wire.
    public let sent: UInt64
    /// Bytes of files that came and are on stable storage.
    public let durable: UInt64

    init(_ session: SessionEntry) {
      id = session.id
      address = String(decoding: session.address, as: UTF8.self)
      activity =
        switch session.activity {
        case .idle, .invalid: .idle
        case .uploading: .uploading
        case .downloading: .downloading
        case .other: .asking
        }
      path = SplicePath(bytes: session.path)
      done = session.done
      total = session.size
      age = .milliseconds(session.ageMilliseconds)
      quiet = .milliseconds(session.quietMilliseconds)
      received = session.received
      sent = session.sent
      durable = session.durable
    }
  }
}

/// Hands what the threads of a server say to everybody who wants to hear it.
final class ServerHub: ServerObserver, Sendable {
  private struct State {
    var listeners: [Int: AsyncStream<SpliceServer.Event>.Continuation] = [:]
    var nextListener = 0
    var hasStopped = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  func subscribe() -> AsyncStream<SpliceServer.Event> {
    AsyncStream { continuation in
      state.withLock {
        if $0.hasStopped { return continuation.finish() }
        let number = $0.nextListener
        $0.nextListener += 1
        $0.listeners[number] = continuation
        continuation.onTermination = { [self] _ in
          state.withLock { $0.listeners[number] = nil }
        }
      }
    }
  }

  func waitForEnd() async {
    await withCheckedContinuation { continuation in
      let hasStopped = state.withLock {
        if !$0.hasStopped { $0.waiter = continuation }
        return $0.hasStopped
      }
      if hasStopped { continuation.resume() }
    }
  }

  func serverDidStop() {
    let (listeners, waiter) = state.withLock { state in
      defer {
        state.listeners = [:]
        state.waiter = nil
        state.hasStopped = true
      }
      return (state.listeners, state.waiter)
    }
    // Outside of the lock, which their ends take.
    for listener in listeners.values { listener.finish() }
    waiter?.resume()
  }

  private func send(_ event: SpliceServer.Event) {
    for listener in state.withLock({ $0.listeners }).values { listener.yield(event) }
  }

  func clientDidConnect(_ id: UInt64, from address: [UInt8]) {
    send(.connected(id, address: String(decoding: address, as: UTF8.self)))
  }

  func clientDidDisconnect(_ id: UInt64, because reason: SessionEnd) {
    send(.disconnected(id, reason.failureCode.map { SpliceError.Code(rawValue: $0.rawValue) }))
  }

  func transferDidBegin(_ transfer: TransferInfo) { send(.transferBegan(SpliceServer.Transfer(transfer))) }

  func transferDidAdvance(_ transfer: TransferInfo) { send(.transferProgressed(SpliceServer.Transfer(transfer))) }

  func transferDidEnd(_ transfer: TransferInfo, _ end: TransferEnd) {
    let code = end.failureCode.map { SpliceError.Code(rawValue: $0.rawValue) }
    send(.transferEnded(SpliceServer.Transfer(transfer), code))
  }
}

extension SpliceServer.Transfer {
  fileprivate init(_ transfer: TransferInfo) {
    client = transfer.client
    number = transfer.transfer
    isUpload = transfer.activity == .uploading
    path = SplicePath(bytes: transfer.path)
    done = transfer.done
    total = transfer.size
  }
}
