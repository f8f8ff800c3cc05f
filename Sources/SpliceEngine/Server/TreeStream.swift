// LIST, STAT, REMOVE and VERIFY in the daemon.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// One request about a path: a job, an answer, and more of both until it is done.
final class TreeStream: ServerStream, PoolJob {
  private enum Answer {
    case listing(Listing, isLast: Bool)
    case information(Information)
    case removed
    /// So many bytes are read again.
    case verifying(UInt64)
    case verified(Verification)
    case failed(StoreError)
  }

  let id: UInt64
  let path: WirePath
  private let type: FrameType
  private let connection: Connection
  private let request: PoolRequest
  private var hasLease = false
  private var isAbandoned = false
  private var hasEnded = false
  /// The next job waits until the peer has taken this much of our output.
  private var waitsForRoom = false

  // Owned by the job while one runs.
  private var answer = Answer.removed
  private var reader: ListReader?
  private var verifier: Verifier?

  init(_ id: UInt64, _ path: WirePath, _ type: FrameType, _ connection: Connection) {
    self.id = id
    self.path = path
    self.type = type
    self.connection = connection
    request = PoolRequest(connection.worker.loop)
  }

  var isBusy: Bool { request.isInFlight }

  func begin() {
    if type == .remove {
      switch connection.store.leases.acquire(
        path, for: connection.address(of: id), name: connection.peer, upload: nil, fence: 0,
        now: connection.worker.loop.now)
      {
      case .granted: hasLease = true
      case .locked(let holder, _, _):
        connection.fail(id, .locked(path, by: holder))
        return abandon()
      case .waiting, .tooSoon, .superseded: panic("who has no upload does not wait for one")
      }
    }
    request.submit(self)
  }

  func handleProbe(_ probe: Probe) { fail(.probe) }
  func handleResume(_ resume: Resume) { fail(.resume) }
  func handleRepeat(_ message: Repeat) { fail(.repeat) }
  func handleCommit(_ commit: Commit) { fail(.commit) }

  private func fail(_ type: FrameType) {
    guard !isAbandoned else { return }
    connection.fail(id, ErrorMessage(.malformed, path: path.bytes, SequenceError.unexpected(type).sentence))
    abandon()
  }

  func abandon() {
    isAbandoned = true
    if !request.isInFlight { end() }
  }

  /// A long listing goes on when the peer has taken what there is.
  func produce() -> Bool {
    guard waitsForRoom, !isAbandoned, (connection.link?.outputCount ?? 0) < Limits.controlBodyMax else {
      return false
    }
    waitsForRoom = false
    request.submit(self)
    return false
  }

  /// On a thread of the pool.
  func run() {
    do throws(StoreError) {
      answer = try perform()
    } catch {
      answer = .failed(error)
    }
  }

  private func perform() throws(StoreError) -> Answer {
    let store = connection.store
    switch type {
    case .list:
      if reader == nil { reader = try store.reader(path) }
      guard let (entries, isLast) = try reader?.next() else { return .removed }
      return .listing(Listing(entries: entries), isLast: isLast)
    case .stat: return .information(try store.information(path))
    case .remove:
      try store.remove(path)
      return .removed
    default:
      if verifier == nil { verifier = try Verifier(try store.openSource(path)) }
      guard let verifier else { return .removed }
      if let result = try verifier.advance() { return .verified(result) }
      return .verifying(verifier.bytes)
    }
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    if isAbandoned { return end() }
    guard let link = connection.link else { return end() }
    switch answer {
    case .listing(let listing, let isLast):
      link.send { listing.append(to: &$0, stream: id, flags: isLast ? [.reply] : [.reply, .more]) }
      if isLast { end() } else { waitsForRoom = true }
    case .information(let information):
      link.send { information.append(to: &$0, stream: id, flags: [.reply]) }
      end()
    case .removed:
      link.send { FrameHeader(type, flags: [.reply], length: 0, stream: id).append(to: &$0) }
      end()
    case .verifying(let bytes):
      link.send { Ack(received: bytes, verified: bytes, durable: 0).append(to: &$0, stream: id) }
      request.submit(self)
    case .verified(let result):
      link.send { result.append(to: &$0, stream: id, flags: [.reply]) }
      end()
    case .failed(let error):
      connection.fail(id, error, path: path)
      end()
    }
    connection.link?.flushSoon()
  }

  private func end() {
    guard !hasEnded else { return }
    hasEnded = true
    if hasLease { connection.releaseLease(path, by: connection.address(of: id)) }
    connection.didEnd(self)
  }
}
