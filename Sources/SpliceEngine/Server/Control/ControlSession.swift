// One administrator at the control socket.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// What the control socket can ask for. On the first worker's thread.
protocol Administration: AnyObject {
  /// Takes no new clients, and ends when the transfers are through; the second time, at once.
  func drain() -> DrainState
  /// Reads the options again. Returns what a person should know.
  func reload() -> [UInt8]
}

/// The same frames as over the network, with other requests. One at a time is answered in order.
final class ControlSession: LinkOwner, PoolJob {
  private enum Job {
    case partials(PartialReader?)
    case discard(WirePath)
  }

  private enum Answer {
    case none
    case partials(PartialList, isLast: Bool, PartialReader)
    case discarded
    case failed(StoreError)
  }

  private let worker: Worker
  private let administration: any Administration
  private let didEnd: (ControlSession) -> Void
  private var link: Link?
  private let request: PoolRequest
  private var hasGreeted = false
  /// The stream whose answer is on its way.
  private var stream: UInt64 = 0
  /// For the lease of a path that is discarded.
  private let id: UInt64

  // Owned by the job while one runs.
  private var job = Job.partials(nil)
  private var answer = Answer.none

  init(
    _ socket: Socket, _ worker: Worker, _ administration: any Administration,
    didEnd: @escaping (ControlSession) -> Void
  ) throws(UVError) {
    self.worker = worker
    self.administration = administration
    self.didEnd = didEnd
    id = worker.shared.makeSession()
    request = PoolRequest(worker.loop)
    link = try Link(worker.loop, socket, pool: worker.pool, owner: self)
  }

  func finish() { link?.finish() }

  /// To be called now and then.
  func tick() { link?.tick() }

  // MARK: From the link

  func linkDidReceive(_ header: FrameHeader, body: [UInt8]) {
    do throws(WireError) {
      if hasGreeted { try handle(header, body) } else { try greet(header, body) }
    } catch {
      linkDidFind(error)
    }
  }

  func linkDidFind(_ error: WireError) {
    fail(0, ErrorMessage(.malformed, text: [UInt8](error.sentence)))
    link?.finish()
  }

  private func greet(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    guard header.type == .hello else { throw .badValue(type: header.type.rawValue) }
    _ = try Hello(body: body)
    hasGreeted = true
    var answer = Hello()
    answer.session = id
    answer.agent = [UInt8]("spliced")
    link?.send { answer.append(to: &$0, stream: 0) }
  }

  private func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    guard !request.isInFlight else {
      return fail(header.stream, ErrorMessage(.busy, "one request at a time"))
    }
    stream = header.stream
    switch header.type {
    case .sessions:
      try requireEmpty(header, body)
      ask(.allSessions) { [self] in send(sessions: $0, stream: header.stream) }
    case .kick:
      let kick = try Kick(body: body)
      ask(.kick(kick.id)) { [self] found in
        if found.isEmpty { return fail(header.stream, ErrorMessage(.notFound, "no client has this id")) }
        worker.shared.log.write(.notice) { line in
          line.append("kicked #")
          line.append(decimal: kick.id)
        }
        reply(.kick, header.stream)
      }
    case .partials:
      try requireEmpty(header, body)
      submit(.partials(nil))
    case .discard:
      let request = try PathRequest(body: body, of: .discard)
      guard let path = WirePath(request.path) else {
        return fail(header.stream, ErrorMessage(.badPath, path: request.path, "not a path of this server"))
      }
      discard(path)
    case .drain:
      try requireEmpty(header, body)
      let state = administration.drain()
      link?.send { state.append(to: &$0, stream: header.stream, flags: [.reply]) }
    case .reload:
      try requireEmpty(header, body)
      let note = ReloadNote(text: administration.reload())
      link?.send { note.append(to: &$0, stream: header.stream, flags: [.reply]) }
    case .ping: reply(.ping, header.stream)
    default: fail(header.stream, ErrorMessage(.unknownMessage, "not a request for the control socket"))
    }
  }

  private func requireEmpty(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    guard body.isEmpty else { throw .trailing(type: header.type.rawValue) }
  }

  private func ask(_ question: Inquiry.Question, _ completion: @escaping ([SessionEntry]) -> Void) {
    guard let group = worker.group else { return }
    Inquiry.ask(question, group) { [self] findings in
      completion(findings.sessions)
      link?.flush()
    }
  }

  private func send(sessions: [SessionEntry], stream: UInt64) {
    var rest = sessions[...]
    repeat {
      var part = SessionList(entries: [])
      var room = Limits.controlBodyMax
      while let entry = rest.first, entry.encodedCount <= room {
        room -= entry.encodedCount
        part.entries.append(entry)
        rest = rest.dropFirst()
      }
      link?.send { part.append(to: &$0, stream: stream, flags: rest.isEmpty ? [.reply] : [.reply, .more]) }
    } while !rest.isEmpty
  }

  private func reply(_ type: FrameType, _ stream: UInt64) {
    link?.send { FrameHeader(type, flags: [.reply], length: 0, stream: stream).append(to: &$0) }
  }

  private func fail(_ stream: UInt64, _ error: ErrorMessage) {
    link?.send { error.append(to: &$0, stream: stream) }
  }

  // MARK: Jobs

  private var address: StreamAddress { StreamAddress(worker: worker.index, session: id, stream: stream) }

  private func discard(_ path: WirePath) {
    switch worker.shared.store.leases.acquire(path, for: address, upload: nil, fence: 0, now: worker.loop.now) {
    case .granted: submit(.discard(path))
    case .locked(let holder, _, _): fail(stream, .locked(path, by: holder))
    case .waiting, .tooSoon, .superseded: panic("who has no upload does not wait for one")
    }
  }

  private func submit(_ next: Job) {
    job = next
    answer = .none
    request.submit(self)
  }

  /// On a thread of the pool.
  func run() {
    let store = worker.shared.store
    do throws(StoreError) {
      switch job {
      case .partials(let begun):
        let reader: PartialReader
        if let begun { reader = begun } else { reader = try store.partials(now: SystemClock.wallNow()) }
        let (entries, isLast) = try reader.next()
        answer = .partials(PartialList(entries: entries), isLast: isLast, reader)
      case .discard(let path):
        try store.discardPartial(path)
        answer = .discarded
      }
    } catch {
      answer = .failed(error)
    }
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    if case .discard(let path) = job, let waiter = worker.shared.store.leases.release(path, by: address) {
      worker.group?.post(.leaseIsFree(waiter), to: waiter)
    }
    switch answer {
    case .none: break
    case .partials(let list, let isLast, let reader):
      link?.send { list.append(to: &$0, stream: stream, flags: isLast ? [.reply] : [.reply, .more]) }
      if !isLast, link != nil { submit(.partials(reader)) }
    case .discarded: reply(.discard, stream)
    case .failed(let error): fail(stream, ErrorMessage(error.code, text: error.sentence))
    }
    link?.flush()
  }

  // MARK: The rest of the link

  func linkDidBeginData(_ prefix: DataPrefix) {
    fail(0, ErrorMessage(.unknownMessage, "the control socket takes no data"))
    link?.finish()
  }

  func linkDidReceiveData(_ slice: Slice, isLast: Bool) { worker.pool.unpin(slice.buffer) }

  func linkWantsOutput() -> Bool { false }

  func linkDidEnd(_ end: LinkEnd) {
    link = nil
    didEnd(self)
  }
}
