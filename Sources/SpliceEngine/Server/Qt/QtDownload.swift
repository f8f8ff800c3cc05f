// One download by a Qt client.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// Compares what the client holds, then sends the rest by sendfile while a job warms the pages ahead.
final class QtDownload: QtTransfer, PoolJob {
  private enum Phase {
    case opening
    /// The header is answered.
    case offered
    case sending
    /// The client has said that it is done, or is gone.
    case ended
  }

  private enum Job {
    case open
    /// Brings the bytes from here on into memory.
    case prepare(from: UInt64)
  }

  private enum Outcome {
    case none
    /// What the client holds is ours.
    case compared(isEqual: Bool)
    case prepared(upTo: UInt64)
    case failed(StoreError)
  }

  let path: WirePath
  private let id: UInt64
  private let session: QtSession
  private let request: PoolRequest
  /// What the client says that it holds.
  private let claim: (bytes: UInt64, digest: [UInt8])?
  private let trustsResume: Bool
  private var phase = Phase.opening
  private var isTransfer = false
  private var isAbandoned = false
  private var size: UInt64 = 0
  /// Queued for the link.
  private var sent: UInt64 = 0
  private var prepared: UInt64 = 0

  // Owned by the job while one runs.
  private var job = Job.open
  private var outcome = Outcome.none
  private var source: Source?
  private var md5: SourceMD5?

  /// Bytes that one job brings into memory, and that one piece of output has at most.
  private static let prepareSize: UInt64 = 8 << 20
  private static let pieceSize: UInt64 = 1 << 20

  init(_ id: UInt64, _ path: WirePath, _ header: QtRequest, _ session: QtSession) {
    self.id = id
    self.path = path
    self.session = session
    request = PoolRequest(session.worker.loop)
    trustsResume = session.configuration.trustsQtResume
    if let position = header.position, position > 0, let digest = header.digest {
      claim = (UInt64(position), digest)
    } else {
      claim = nil
    }
  }

  var activity: SessionActivity { .downloading }
  var progress: (done: UInt64, size: UInt64) { (sent, size) }
  var isBusy: Bool { request.isInFlight }
  var isAnswering: Bool {
    if case .opening = phase { return true }
    return false
  }

  // MARK: From the session

  func begin() {
    guard session.beginTransfer(.download) else {
      session.note(.busy, path, ErrorMessage.tooManyTransfers(path).text)
      return fail(.connectFailed)
    }
    isTransfer = true
    submit(.open)
  }

  func handle(_ message: QtRequest) -> Bool {
    switch (message.kind, phase) {
    case (.downloadContent, .offered):
      // A client that cannot open its own file says so, and goes on to the next.
      guard (message.status ?? 0) == QtStatus.ok.rawValue else {
        abandon()
        return true
      }
      phase = .sending
      session.link?.flush()
      return true
    case (.downloadTail, .sending) where sent == size:
      if (message.status ?? 0) == QtStatus.ok.rawValue { complete() }
      session.reply(.status(.downloadTail, .ok))
      abandon()
      return true
    default: return false
    }
  }

  func handlePiece(_ slice: Slice) { session.worker.pool.unpin(slice.buffer) }

  func refusal(_ status: QtStatus) -> QtReply? {
    let mine = status == .uploadFailed ? .downloadFailed : status
    return isAnswering ? .downloadHeader(mine, size: 0, position: 0) : nil
  }

  func abandon() {
    if isAbandoned { return }
    // It had all of it, and says nothing more.
    if case .offered = phase, sent == size { complete() }
    isAbandoned = true
    phase = .ended
    if !request.isInFlight { end() }
  }

  private func complete() { session.worker.counters.count(completed: .download) }

  private func fail(_ status: QtStatus) {
    session.reply(refusal(status))
    abandon()
  }

  private func fail(_ error: StoreError) {
    session.note(error.code, path, error.sentence)
    if isAnswering { return fail(QtStatus(error.code, otherwise: .downloadFailed)) }
    // In the middle of bytes that have no header there is no other way to say it.
    session.finish(.refused(error.code))
  }

  func produce() -> Bool {
    guard case .sending = phase, sent < size, let source, let link = session.link else { return false }
    if prepared - sent <= Self.prepareSize / 2, prepared < size, !request.isInFlight {
      submit(.prepare(from: prepared))
    }
    let count = min(Self.pieceSize, prepared - sent)
    guard count > 0 else { return false }
    link.send(source.file, offset: sent, count: Int(count))
    sent += count
    return true
  }

  // MARK: Jobs

  private func submit(_ next: Job) {
    job = next
    outcome = .none
    request.submit(self)
  }

  /// On a thread of the pool.
  func run() {
    do throws(StoreError) {
      outcome = try perform()
    } catch {
      outcome = .failed(error)
    }
  }

  private func perform() throws(StoreError) -> Outcome {
    switch job {
    case .open:
      if source == nil { source = try open() }
      guard let source else { return .none }
      return try compare(source)
    case .prepare(let start):
      guard let source else { return .none }
      if try source.hasChanged() { throw StoreError(.changed) }
      let end = min(start + Self.prepareSize, source.size)
      source.file.warm(from: start, to: end)
      return .prepared(upTo: end)
    }
  }

  private func open() throws(StoreError) -> Source {
    let source = try session.store.openSource(path)
    guard source.size <= QtLimits.sizeMax else { throw StoreError(.downloadFailed, .fileTooLarge) }
    return source
  }

  /// `.none`: not all that the client holds is read yet.
  private func compare(_ source: Source) throws(StoreError) -> Outcome {
    guard let claim, claim.bytes == source.size || (trustsResume && claim.bytes < source.size) else {
      return .compared(isEqual: false)
    }
    let reader = md5 ?? session.store.md5(of: source, path)
    md5 = reader
    guard try reader.advance(to: claim.bytes, budget: QtLimits.jobBudget) else { return .none }
    if try source.hasChanged() { throw StoreError(.changed) }
    return .compared(isEqual: isHexadecimal(claim.digest, of: reader.md5.digest))
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    if isAbandoned { return end() }
    switch outcome {
    case .none: submit(job)
    case .failed(let error): fail(error)
    case .prepared(let end): prepared = end
    case .compared(let isEqual): answer(isEqual: isEqual)
    }
    session.link?.flush()
  }

  private func answer(isEqual: Bool) {
    guard let source, let size = Int64(exactly: source.size) else { return }
    self.size = source.size
    md5 = nil
    sent = isEqual ? claim?.bytes ?? 0 : 0
    prepared = sent
    session.worker.counters.count(resumedAt: sent, held: sent)
    phase = .offered
    session.reply(.downloadHeader(.ok, size: size - Int64(sent), position: Int64(sent)))
    session.didAnswer()
  }

  private func end() {
    if isTransfer { session.endTransfer() }
    isTransfer = false
    source = nil
    session.transferDidEnd(self)
  }
}

/// Whether `digits` write `bytes`, in either case.
func isHexadecimal(_ digits: [UInt8], of bytes: [UInt8]) -> Bool {
  var expected: [UInt8] = []
  expected.append(hexOf: bytes)
  return digits.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "F") ? $0 + 32 : $0 } == expected
}
