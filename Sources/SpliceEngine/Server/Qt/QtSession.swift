// One deployed Qt client: requests one after the other, file bytes between them, nothing framed.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// Finds the requests in what comes, and passes them and file bytes to the transfer that they belong to.
///
/// Belongs to its worker's thread. Lives in its worker's table until its socket is closed and its transfer has let
/// go of its files.
///
/// - Limits: one transfer at a time. What comes behind a request that is not answered yet stays in the buffers that
///   it came in, at most two, and the socket is not read.
final class QtSession: Session, LinkOwner {
  private enum State {
    case serving
    /// The next request is answered with a refusal, and that is the end.
    case refusing(SessionEnd)
    /// The link ends when its last answer is out.
    case ending
  }

  /// How long a client that is to be refused may take to ask for something.
  private static let refusalMilliseconds: UInt64 = 2000

  let id: UInt64
  let worker: Worker
  let peerAddress: SocketAddress?
  private(set) var peer: [UInt8] = []
  private(set) var link: Link?
  private var state = State.serving
  private var decoder = QtDecoder()
  /// Received and not looked at, in order.
  private var held: [Slice] = []
  private var isProceeding = false
  private var transfer: (any QtTransfer)?
  /// Begins when the transfer before has let go of its files.
  private var next: QtRequest?
  private var lastTransfer: UInt64 = 0
  /// Received bytes that the transfer has not stored yet.
  private var backlog = 0
  private let startedAt: Instant
  private var endReason: SessionEnd?
  private var isDraining = false
  private var durable: UInt64 = 0
  private var bytesReceived: UInt64 = 0
  private var bytesSent: UInt64 = 0

  init(id: UInt64, _ socket: Socket, worker: Worker) throws(UVError) {
    self.id = id
    self.worker = worker
    startedAt = worker.loop.now
    peerAddress = socket.peerAddress
    peerAddress?.format(into: &peer)
    link = try Link(
      worker.loop, socket, pool: worker.pool, sharing: worker.share, owner: self, hasFrames: false)
    link?.throttle = worker.makeThrottle()
    log(.info) { $0.append("connected as a Qt client") }
  }

  var service: Service { .qt }

  // MARK: From the worker

  func end(because reason: SessionEnd) {
    guard case .serving = state else { return finish(reason) }
    switch reason {
    case .limit:
      // Which reply it understands is known when it has asked.
      state = .refusing(reason)
    case .idle: finish(reason, .timeout)
    case .closedByPeer, .broken, .kicked, .shutdown, .refused: finish(reason, .uploadFailed)
    }
  }

  func drain() {
    isDraining = true
    if transfer == nil { finish(.shutdown) }
  }

  var entry: SessionEntry {
    settle()
    var entry = SessionEntry(id: id)
    let now = worker.loop.now
    entry.worker = UInt16(clamping: worker.index)
    entry.streams = transfer == nil ? 0 : 1
    entry.ageMilliseconds = now.milliseconds(since: startedAt)
    entry.quietMilliseconds = link.map { now.milliseconds(since: $0.lastProgress) } ?? 0
    entry.received = bytesReceived
    entry.sent = bytesSent
    entry.durable = durable
    entry.proto = [UInt8](service.name)
    entry.address = peer
    if let transfer {
      entry.activity = transfer.activity
      entry.path = transfer.path.bytes
      (entry.done, entry.size) = transfer.progress
    }
    return entry
  }

  func count(durable more: UInt64) { durable += more }

  private func settle() {
    guard let link else { return }
    bytesReceived = link.bytesReceived
    bytesSent = link.bytesSent
  }

  func evict(stream: UInt64) {
    if stream == lastTransfer { transfer?.evict() }
    link?.flush()
  }

  func retryLease(stream: UInt64) {
    if stream == lastTransfer { transfer?.retryLease() }
    link?.flush()
  }

  func tick(_ now: Instant) {
    guard let link else { return }
    link.tick()
    if case .refusing(let reason) = state, now.milliseconds(since: startedAt) > Self.refusalMilliseconds {
      return finish(reason)
    }
    let quiet = now.milliseconds(since: link.lastProgress)
    if configuration.idleMilliseconds > 0, quiet > configuration.idleMilliseconds, transfer?.isBusy != true {
      return end(because: .idle)
    }
    transfer?.tick(now)
    link.flush()
  }

  // MARK: From the link

  func linkDidReceiveRaw(_ slice: Slice) {
    held.append(slice)
    proceed()
  }

  /// Looks at what came, up to a request that takes time to answer.
  private func proceed() {
    guard !isProceeding else { return }
    isProceeding = true
    while let slice = held.first, !mustWait {
      let used = take(slice)
      let start = slice.range.lowerBound + used
      if start < slice.range.upperBound, link != nil {
        held[0] = Slice(buffer: slice.buffer, range: start..<slice.range.upperBound)
      } else {
        held.removeFirst()
        worker.pool.unpin(slice.buffer)
      }
    }
    isProceeding = false
    updateReading()
  }

  private var mustWait: Bool {
    if case .ending = state { return false }
    return next != nil || transfer?.isAnswering == true
  }

  /// Returns how many bytes of `slice` were used.
  private func take(_ slice: Slice) -> Int {
    if case .ending = state { return slice.range.count }
    if let transfer, transfer.missing > 0 {
      let count = Int(min(UInt64(slice.range.count), transfer.missing))
      let start = slice.range.lowerBound
      worker.pool.pin(slice.buffer)
      transfer.handlePiece(Slice(buffer: slice.buffer, range: start..<start + count))
      return count
    }
    var position = 0
    do throws(QtError) {
      if let request = try decoder.next(slice.bytes, &position) {
        link?.didMakeProgress()
        handle(request)
      }
    } catch {
      log(.info) { line in
        line.append("refused: ")
        line.append(error.sentence)
      }
      refuse(.malformed, .unknownData)
      return slice.range.count
    }
    return position
  }

  private func updateReading() { link?.setReading(held.isEmpty && backlog < Limits.connectionBacklogMax) }

  func addBacklog(_ count: Int) {
    backlog += count
    updateReading()
  }

  // MARK: Requests

  private func handle(_ request: QtRequest) {
    if case .refusing(let reason) = state {
      reply(refusal(of: request, .connectFailed))
      return finish(reason)
    }
    if let transfer, transfer.handle(request) { return }
    switch request.kind {
    case .uploadHeader, .downloadHeader:
      next = request
      if let transfer { transfer.abandon() } else { beginNext() }
    case .uploadPosition, .uploadTail, .downloadContent, .downloadTail, nil:
      reply(refusal(of: request, .unknownData))
      refuse(.unknownMessage, .unknownData)
    }
  }

  /// Nil for a number that no client knows.
  private func refusal(of request: QtRequest, _ status: QtStatus) -> QtReply? {
    switch request.kind {
    case .uploadHeader: .uploadHeader(status, position: 0, digest: nil)
    case .downloadHeader: .downloadHeader(status, size: 0, position: 0)
    case .uploadPosition, .uploadTail, .downloadContent, .downloadTail: request.kind.map { .status($0, status) }
    case nil: nil
    }
  }

  /// A request is answered that others may wait behind.
  func didAnswer() { proceed() }

  private func beginNext() {
    guard let request = next else { return }
    next = nil
    guard case .serving = state, link != nil else { return }
    if isDraining {
      reply(refusal(of: request, .connectFailed))
      return finish(.shutdown)
    }
    // The original glues the path to its root, so some have a slash in front and mean the same.
    let bytes = Array((request.path ?? []).drop { $0 == UInt8(ascii: "/") })
    guard let path = WirePath(bytes) else {
      worker.counters.count(.error(.badPath))
      log(.notice) { line in
        line.append("refused: ")
        line.append(quoting: Array(bytes.prefix(Limits.pathMax)))
        line.append(": not a path of this server")
      }
      return reply(refusal(of: request, .openFailed))
    }
    lastTransfer += 1
    let transfer: any QtTransfer =
      request.kind == .uploadHeader
      ? QtUpload(lastTransfer, path, self) : QtDownload(lastTransfer, path, request, self)
    self.transfer = transfer
    transfer.begin()
  }

  func reply(_ reply: QtReply?) {
    guard let reply else { return }
    link?.send { reply.append(to: &$0) }
  }

  /// Says why a request was refused, to the log and to the counters.
  func note(_ code: ErrorCode, _ path: WirePath, _ text: [UInt8]) {
    worker.counters.count(.error(code))
    log(.notice) { line in
      line.append(quoting: path.bytes)
      line.append(": ")
      line.append(contentsOf: text)
    }
  }

  // MARK: Ending

  /// The transfer has ended and holds nothing any more.
  func transferDidEnd(_ ended: any QtTransfer) {
    guard transfer === ended else { return }
    transfer = nil
    beginNext()
    if isDraining, transfer == nil, link != nil { finish(.shutdown) }
    proceed()
    link?.flush()
    removeIfDone()
  }

  /// What was sent cannot be read on from here.
  func refuse(_ code: ErrorCode, _ status: QtStatus) {
    if case .ending = state { return }
    worker.counters.count(.error(code))
    finish(.refused(code), status)
  }

  /// Sends what the peer waits for, if it waits, and ends the connection.
  func finish(_ reason: SessionEnd, _ status: QtStatus? = nil) {
    if case .ending = state { return }
    if let status { reply(transfer?.refusal(status)) }
    state = .ending
    endReason = reason
    next = nil
    transfer?.abandon()
    link?.finish()
    proceed()
  }

  func linkWantsOutput() -> Bool { transfer?.produce() ?? false }

  func linkDidEnd(_ end: LinkEnd) {
    settle()
    link = nil
    state = .ending
    next = nil
    if endReason == nil { endReason = self.reason(of: end) }
    // Gives back what is held. Where a reply has found the link broken, the one that looks at it goes on to do so.
    proceed()
    transfer?.abandon()
    removeIfDone()
  }

  private func reason(of end: LinkEnd) -> SessionEnd {
    guard end == .closedByPeer else { return .broken(end.sentence) }
    let isBetween = decoder.isBetweenMessages && (transfer?.missing ?? 0) == 0
    return isBetween ? .closedByPeer : .broken(LinkEnd.cutOff.sentence)
  }

  private func removeIfDone() {
    guard link == nil, transfer == nil, let reason = endReason else { return }
    endReason = nil
    logEnd(reason, startedAt: startedAt)
    worker.remove(self, because: reason)
  }

  // MARK: What a link without frames does not call

  func linkDidReceive(_ header: FrameHeader, body: [UInt8]) {}
  func linkDidBeginData(_ prefix: DataPrefix) {}
  func linkDidReceiveData(_ slice: Slice, isLast: Bool) { worker.pool.unpin(slice.buffer) }
  func linkDidFind(_ error: WireError) {}
}
