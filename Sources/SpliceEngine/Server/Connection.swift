// One client of the daemon: says HELLO, keeps its streams, and sends each message to the stream it is for.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire
internal import Synchronization

/// The native session over one link. Belongs to its worker's thread.
///
/// Lives in its worker's table until its socket is closed and every stream has let go of its files.
final class Connection: Session, LinkOwner {
  private enum State {
    case awaitingHello
    case serving
    /// No new stream is begun; the link ends when its last answer is out.
    case ending
  }

  let id: UInt64
  let worker: Worker
  private(set) var link: Link?
  private var state = State.awaitingHello
  /// Rising by id. At most twice `streamsMax`.
  private var streams = Roster<any ServerStream>()
  /// As HELLO says.
  private var streamsMax = 0
  private var lastStream: UInt64 = 0
  /// Where the pieces of the current or last DATA frame go; nil drops them.
  private var dataTarget: UploadStream?
  let peerAddress: SocketAddress?
  /// The peer's address, for people.
  private(set) var peer: [UInt8] = []
  /// Received bytes that streams have not stored yet.
  private var backlog = 0
  /// A stream wants the socket for itself as soon as its present job is done.
  private var isHeld = false
  private let startedAt: Instant
  private var endReason: SessionEnd?
  private var isDraining = false
  /// Bytes of uploads here that matched their digests, and that are on stable storage.
  private var verified: UInt64 = 0
  private var durable: UInt64 = 0
  private var bytesReceived: UInt64 = 0
  private var bytesSent: UInt64 = 0

  init(id: UInt64, _ socket: Socket, worker: Worker) throws(UVError) {
    self.id = id
    self.worker = worker
    startedAt = worker.loop.now
    peerAddress = socket.peerAddress
    peerAddress?.format(into: &peer)
    link = try Link(worker.loop, socket, pool: worker.pool, sharing: worker.share, owner: self)
    link?.throttle = worker.makeThrottle()
    log(.info) { $0.append("connected") }
  }

  var service: Service { .native }

  // MARK: From the worker

  func end(because reason: SessionEnd) {
    let error: ErrorMessage
    switch reason {
    case .limit:
      var busy = ErrorMessage(.busy, "the server is busy: it has as many connections as it is allowed")
      busy.retryAfterSeconds = 5
      error = busy
    case .kicked: error = ErrorMessage(.kicked, "disconnected by the administrator of the server")
    case .idle: error = ErrorMessage(.timeout, "the connection was silent for too long")
    case .closedByPeer, .broken, .shutdown, .refused:
      error = ErrorMessage(.shuttingDown, "the server is shutting down; what it acknowledged is kept")
    }
    endLink(with: error, because: reason)
  }

  func drain() {
    isDraining = true
    if streams.isEmpty { end(because: .shutdown) }
  }

  var entry: SessionEntry {
    settle()
    var entry = SessionEntry(id: id)
    let now = worker.loop.now
    entry.worker = UInt16(clamping: worker.index)
    entry.streams = UInt16(clamping: streams.count)
    entry.ageMilliseconds = now.milliseconds(since: startedAt)
    entry.quietMilliseconds = link.map { now.milliseconds(since: $0.lastProgress) } ?? 0
    entry.received = bytesReceived
    entry.sent = bytesSent
    entry.verified = verified
    entry.durable = durable
    entry.proto = [UInt8]("splice")
    entry.address = peer
    if let stream = streams.first {
      entry.activity = stream.activity
      entry.path = stream.path.bytes
      (entry.done, entry.size) = stream.progress
    }
    return entry
  }

  func count(verified more: UInt64) {
    verified += more
  }

  func count(durable more: UInt64) {
    durable += more
  }

  /// What the link has counted, also for when it is gone.
  private func settle() {
    guard let link else { return }
    bytesReceived = link.bytesReceived
    bytesSent = link.bytesSent
  }

  func evict(stream id: UInt64) {
    find(id)?.evict()
    link?.flush()
  }

  func retryLease(stream id: UInt64) {
    find(id)?.retryLease()
    link?.flush()
  }

  func tick(_ now: Instant) {
    guard let link else { return }
    link.tick()
    let quiet = now.milliseconds(since: link.lastProgress)
    if configuration.idleMilliseconds > 0, quiet > configuration.idleMilliseconds, !isWorking {
      return end(because: .idle)
    }
    for stream in streams.elements { stream.tick(now) }
    link.flush()
  }

  /// The silence is ours: a job is running, or the peer waits for bytes that we have not sent.
  private var isWorking: Bool { streams.elements.contains { $0.isBusy } }

  // MARK: From the link

  func linkDidReceive(_ header: FrameHeader, body: [UInt8]) {
    do throws(WireError) {
      switch state {
      case .ending: return
      case .awaitingHello:
        guard header.type == .hello else {
          return endLink(with: ErrorMessage(.unknownMessage, "the first message must be HELLO"))
        }
        try handleHello(Hello(body: body))
      case .serving: try handle(header, body)
      }
    } catch {
      linkError(error)
    }
  }

  private func handleHello(_ hello: Hello) throws(WireError) {
    guard hello.algorithms.contains(DigestAlgorithm.xxh3.rawValue) else {
      return endLink(with: ErrorMessage(.version, "no digest algorithm in common; the server has xxh3-128"))
    }
    var answer = Hello()
    answer.version = min(hello.version, Hello.currentVersion)
    streamsMax = configuration.streamLimit(besides: worker.group?.transferCount ?? 0)
    answer.streamsMax = min(hello.streamsMax, UInt16(streamsMax))
    answer.idleSeconds = UInt32(clamping: configuration.idleMilliseconds / 1000)
    answer.session = id
    answer.agent = [UInt8]("spliced")
    state = .serving
    link?.send { answer.append(to: &$0, stream: 0) }
  }

  private func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    guard header.flags.isDisjoint(with: [.reply, .more]) else {
      throw .unknownFlags(type: header.type.rawValue, flags: header.flags.rawValue)
    }
    switch header.type {
    case .offer:
      let offer = try Offer(body: body)
      begin(header, path: offer.path) { UploadStream(header.stream, $0, offer, self) }
    case .want:
      let want = try Want(body: body)
      begin(header, path: want.path) {
        DownloadStream(header.stream, $0, want, startsAtOnce: header.flags.contains(.start), self)
      }
    case .list, .stat, .remove, .verify:
      let request = try PathRequest(body: body, of: header.type)
      begin(header, path: request.path, mayBeRoot: header.type == .list || header.type == .stat) {
        TreeStream(header.stream, $0, header.type, self)
      }
    case .probe:
      let probe = try Probe(body: body)
      withOpened(header.stream) { $0.handleProbe(probe) }
    case .resume:
      let resume = try Resume(body: body)
      withOpened(header.stream) { $0.handleResume(resume) }
    case .repeat:
      let message = try Repeat(body: body)
      withOpened(header.stream) { $0.handleRepeat(message) }
    case .commit:
      let commit = try Commit(body: body)
      withOpened(header.stream) { $0.handleCommit(commit) }
    case .cancel:
      guard body.isEmpty else { throw .trailing(type: header.type.rawValue) }
      withOpened(header.stream) { $0.abandon() }
    case .ping:
      guard body.isEmpty else { throw .trailing(type: header.type.rawValue) }
      link?.send { FrameHeader(.ping, flags: [.reply], length: 0, stream: header.stream).append(to: &$0) }
    case .hello, .have, .chain, .ack, .committed, .give, .end, .error, .data, .sessions, .kick, .drain, .partials,
      .discard, .reload:
      endLink(with: ErrorMessage(.unknownMessage, "a client does not send this message here"))
    }
  }

  /// Opens a stream, or says why not.
  private func begin(
    _ header: FrameHeader, path bytes: [UInt8], mayBeRoot: Bool = false,
    _ make: (WirePath) -> any ServerStream
  ) {
    guard header.stream > lastStream else {
      return endLink(with: ErrorMessage(.malformed, path: bytes, "stream ids must rise"))
    }
    lastStream = header.stream
    if isDraining {
      return answer(header.stream, ErrorMessage(.shuttingDown, path: bytes, "the server takes no new work"))
    }
    // The peer counts a stream as closed when it has its answer; ours may still be letting go of its files.
    guard streams.count < 2 * streamsMax else {
      return answer(header.stream, ErrorMessage(.busy, path: bytes, "too many open requests on this connection"))
    }
    let path: WirePath
    if bytes.isEmpty, mayBeRoot {
      path = .root
    } else if let valid = WirePath(bytes) {
      path = valid
    } else {
      return answer(
        header.stream,
        ErrorMessage(
          .badPath, path: Array(bytes.prefix(Limits.pathMax)),
          "paths are relative, without empty, '.' or '..' components, and not below .splice"))
    }
    let stream = make(path)
    streams.append(stream, key: header.stream)
    stream.begin()
  }

  private func answer(_ stream: UInt64, _ error: ErrorMessage) {
    link?.send { error.append(to: &$0, stream: stream) }
  }

  func find(_ id: UInt64) -> (any ServerStream)? { streams[id] }

  /// Calls `body` with the stream. One that has failed is gone while messages for it are still on the way:
  /// they are passed over. One that was never opened is a mistake of the peer.
  private func withOpened(_ id: UInt64, _ body: (any ServerStream) -> Void) {
    guard id <= lastStream, id > 0 else {
      return endLink(with: ErrorMessage(.malformed, "a message for a stream that was never opened"))
    }
    if let stream = find(id) { body(stream) }
  }

  func linkDidBeginData(_ prefix: DataPrefix) {
    dataTarget = nil
    switch state {
    case .ending: return
    case .awaitingHello: return endLink(with: ErrorMessage(.unknownMessage, "the first message must be HELLO"))
    case .serving: break
    }
    withOpened(prefix.stream) { stream in
      guard let upload = stream.upload else {
        return endLink(with: ErrorMessage(.malformed, "data for a stream that is no upload"))
      }
      if upload.handleData(prefix) { dataTarget = upload }
    }
  }

  func linkDidReceiveData(_ slice: Slice, isLast: Bool) {
    guard let target = dataTarget else { return worker.pool.unpin(slice.buffer) }
    addBacklog(slice.cost)
    target.handlePiece(slice, isLast: isLast)
  }

  func linkMayReceive() -> Bool {
    guard let dataTarget else { return true }
    switch dataTarget.takeOver() {
    case .never: return true
    case .now: return false
    case .soon:
      isHeld = true
      updateReading()
      return false
    }
  }

  /// The job that had the receive side of `lender` is done; the link may have ended meanwhile. Returns
  /// whether the socket was left with something to read.
  func takeBack(from lender: Link) -> Bool {
    let hasMore = lender.takeBack()
    if link == nil {
      bytesReceived = lender.bytesReceived
      settle()
    }
    return hasMore
  }

  /// A stream's job is done, which may have been what the socket waited for.
  func goOnReceiving(hasMore: Bool) {
    guard isHeld || hasMore else { return }
    isHeld = false
    // Not by way of the loop: the next job finds something to read.
    _ = linkMayReceive()
    updateReading()
  }

  /// Streams share the link; reading stops when together they hold too much.
  func addBacklog(_ count: Int) {
    backlog += count
    updateReading()
  }

  private func updateReading() {
    link?.setReading(!isHeld && backlog < Limits.connectionBacklogMax)
  }

  func linkWantsOutput() -> Bool {
    for _ in 0..<streams.count {
      guard streams.takeTurn()?.produce() == true else { continue }
      // One file is finished before the next gets on.
      streams.keepTurn()
      return true
    }
    streams.restartTurns()
    return false
  }

  func linkDidFind(_ error: WireError) { linkError(error) }

  func linkDidEnd(_ end: LinkEnd) {
    settle()
    link = nil
    dataTarget = nil
    if endReason == nil { endReason = end == .closedByPeer ? .closedByPeer : .broken(end.sentence) }
    for stream in streams.elements { stream.abandon() }
    removeIfDone()
  }

  // MARK: Streams

  /// The stream has ended and holds nothing any more.
  func didEnd(_ stream: any ServerStream) {
    if dataTarget === stream { dataTarget = nil }
    stream.report?.end()
    streams.remove(stream.id)
    if isDraining, streams.isEmpty, link != nil { end(because: .shutdown) }
    removeIfDone()
  }

  private func removeIfDone() {
    guard link == nil, streams.isEmpty, let endReason else { return }
    self.endReason = nil
    logEnd(endReason, startedAt: startedAt)
    worker.remove(self, because: endReason)
  }

  private func linkError(_ error: WireError) {
    var text = [UInt8](error.sentence)
    if let culprit = error.culprit {
      text.append(": ")
      text.append(decimal: UInt64(culprit))
    }
    var code = ErrorCode.malformed
    if case .unknownType = error { code = .unknownMessage }
    endLink(with: ErrorMessage(code, text: text))
  }

  private func endLink(with error: ErrorMessage) { endLink(with: error, because: .refused(error.code)) }

  /// Says why, then ends the connection.
  private func endLink(with error: ErrorMessage, because reason: SessionEnd) {
    if case .ending = state { return }
    state = .ending
    endReason = reason
    if case .refused(let code) = reason {
      worker.counters.count(.error(code))
      log(.info) { line in
        line.append("refused: ")
        line.append(contentsOf: error.text)
      }
    }
    for stream in streams.elements { stream.abandon() }
    link?.send { error.append(to: &$0, stream: 0) }
    link?.finish()
  }
}

extension LinkEnd {
  var sentence: StaticString {
    switch self {
    case .closedByPeer: "closed by the peer"
    case .cutOff: "cut off in the middle of a message"
    case .failed(let errno): errno.name
    case .malformed(let error): error.sentence
    case .fileEnded: "a file became shorter while it was sent"
    case .closedHere: "closed here"
    }
  }
}
