// One thread, one loop, its connections and its buffers.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV
internal import Synchronization

/// What all workers share: immutable, or safe for any thread by itself.
final class Shared: Sendable {
  let store: Store
  let log: Log
  /// Hears of clients and transfers.
  let observer: (any ServerObserver)?
  let door = Door()
  let syncs: SyncMeter
  private let nextSession = Atomic<UInt64>(1)

  init(_ store: Store, _ log: Log, _ syncs: SyncMeter, _ observer: (any ServerObserver)?) {
    self.store = store
    self.log = log
    self.syncs = syncs
    self.observer = observer
  }

  /// An id that no other connection of this daemon had or will have.
  func makeSession() -> UInt64 { nextSession.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// Serves the connections that it is given. All but `post`, `load` and `run` belong to its thread.
final class Worker {
  let index: Int
  let loop: Loop
  let pool: BufferPool
  /// Uploads that are whole.
  let commits: CommitQueue
  let shortJobs: ShortJobs
  let shared: Shared
  private let rates: RateKeeper
  let share = TurnShare()
  /// What this worker was told last.
  private(set) var configuration: ServerConfiguration
  /// All workers, this one among them; set before any runs.
  var group: WorkerGroup?
  /// Called once, when the last session is gone and no other will come.
  var onEnd: (() -> Void)?
  private let mailbox: Mailbox
  private var timer: Timer?
  private var sessions: [UInt64: any Session] = [:]
  private var refused: Set<UInt64> = []
  var counters = Counters()
  /// The first worker ends last: signals and the control socket are on its loop.
  private var othersRunning: Int
  private(set) var isDraining = false
  private var isStopping = false
  private var hasEnded: Bool { timer == nil }
  private let sweepRequest: PoolRequest
  private var sweepDue: Instant
  private let sweep: SweepJob

  private static let tickMilliseconds: UInt64 = 500
  private static let sweepSeconds: UInt64 = 3600

  init(index: Int, _ shared: Shared, _ configuration: ServerConfiguration, _ loop: Loop) throws(UVError) {
    self.index = index
    self.loop = loop
    self.shared = shared
    self.configuration = configuration
    othersRunning = index == 0 ? configuration.workers - 1 : 0
    pool = BufferPool(bytes: configuration.memory / configuration.workers)
    // Several workers have a group each under way, and the pool is theirs together.
    commits = CommitQueue(loop, roundsMax: configuration.workers == 1 ? 2 : 1)
    shortJobs = ShortJobs(loop)
    rates = try RateKeeper(loop)
    sweepRequest = PoolRequest(loop)
    sweepDue = loop.now
    sweep = SweepJob(shared, expirySeconds: configuration.partialExpirySeconds)
    mailbox = try Mailbox(loop)
    let timer = try Timer(loop) { self.tick() }
    timer.start(after: 0, repeating: Self.tickMilliseconds)
    self.timer = timer
    mailbox.onMail = { self.readMail() }
    setRates()
  }

  /// Each worker has its share, because workers know nothing of each other.
  private func setRates() {
    let share = configuration.rate / UInt64(configuration.workers)
    rates.setRate(configuration.rate > 0 ? max(1, share) : 0)
  }

  /// Nil when there is no limit to the rate of a new session.
  func makeThrottle() -> Throttle? {
    guard configuration.rate > 0 || configuration.sessionRate > 0 else { return nil }
    return Throttle(rates, bytesPerSecond: configuration.sessionRate)
  }

  /// Runs until `stop` was posted and everything is closed.
  func run() {
    while loop.run() {}
    loop.close()
  }

  @discardableResult
  func post(_ message: Message) -> Bool { mailbox.post(message) }

  private func readMail() {
    guard let group else { return }
    var rest = mailbox.drain()[...]
    while let message = rest.popFirst() {
      // The last message may have been the end.
      if hasEnded { return returnMail([message] + rest, group) }
      switch message {
      case .accept(let socket, let service): adopt(socket, service)
      case .evict(let address): sessions[address.session]?.evict(stream: address.stream)
      case .leaseIsFree(let address): sessions[address.session]?.retryLease(stream: address.stream)
      case .inquiry(let inquiry): answer(inquiry)
      case .inquiryIsAnswered(let inquiry): inquiry.complete()
      case .call(let body): body()
      case .reconfigure(let configuration):
        self.configuration = configuration
        setRates()
      case .workerDidEnd:
        othersRunning -= 1
        if isStopping || isDraining { closeIfEmpty() }
      case .drain: drain()
      case .stop: stop()
      }
    }
  }

  /// What came too late for a worker without sessions. A promised answer is still given.
  private func returnMail(_ messages: [Message], _ group: WorkerGroup) {
    for message in messages {
      switch message {
      case .accept(let socket, _):
        shared.door.leave(socket.peerAddress?.bytes ?? [], wasRefused: false)
        socket.close()
      case .inquiry(let inquiry): inquiry.answer(Findings(), group)
      case .inquiryIsAnswered(let inquiry): inquiry.complete()
      case .call(let body): body()
      case .evict, .leaseIsFree, .reconfigure, .workerDidEnd, .drain, .stop: break
      }
    }
  }

  private func answer(_ inquiry: Inquiry) {
    guard let group else { return }
    switch inquiry.question {
    case .allSessions: inquiry.answer(Findings(sessions: sessions.values.map { $0.entry }), group)
    case .kick(let id):
      guard let session = sessions[id] else { return inquiry.answer(Findings(), group) }
      let entry = session.entry
      session.end(because: .kicked)
      inquiry.answer(Findings(sessions: [entry]), group)
    case .report: inquiry.answer(Findings(reports: [report]), group)
    }
  }

  private var report: WorkerReport {
    var report = WorkerReport(
      worker: index, counters: counters, buffersMax: UInt64(pool.count), buffersUsed: UInt64(pool.usedCount),
      bufferWaits: pool.waits)
    report.transfers = UInt64(clamping: group?.transferCount(on: index) ?? 0)
    for session in sessions.values {
      report.open[session.service.rawValue] += 1
      report.counters.count(Traffic(session.entry), of: session.service)
    }
    return report
  }

  // MARK: Sessions

  /// - Parameter isRefused: there are too many; it is only told so.
  func adopt(_ socket: Socket, _ service: Service, isRefused: Bool = false) {
    let id = shared.makeSession()
    do throws(UVError) {
      let session = try makeSession(id, socket, service)
      sessions[id] = session
      counters.count(opened: service)
      if isRefused {
        counters.count(.tooManyClients)
        refused.insert(id)
        return session.end(because: .limit)
      }
      if let observer = shared.observer {
        var address: [UInt8] = []
        session.peerAddress?.format(into: &address)
        observer.clientDidConnect(id, from: address)
      }
      if isStopping || isDraining { session.end(because: .shutdown) }
    } catch {
      let address = socket.peerAddress
      socket.close()
      didLeave(address, wasRefused: isRefused)
    }
  }

  private func makeSession(_ id: UInt64, _ socket: Socket, _ service: Service) throws(UVError) -> any Session {
    switch service {
    case .native: try Connection(id: id, socket, worker: self)
    case .qt: try QtSession(id: id, socket, worker: self)
    }
  }

  /// The session's socket is closed and its streams have let go of their files.
  func remove(_ session: any Session, because reason: SessionEnd) {
    guard sessions.removeValue(forKey: session.id) != nil else { return }
    counters.count(ended: reason.kind)
    counters.count(Traffic(session.entry), of: session.service)
    let wasRefused = refused.remove(session.id) != nil
    // One that was only told that there are too many never was a client.
    if !wasRefused { shared.observer?.clientDidDisconnect(session.id, because: reason) }
    didLeave(session.peerAddress, wasRefused: wasRefused)
  }

  private func didLeave(_ address: SocketAddress?, wasRefused: Bool) {
    shared.door.leave(address?.bytes ?? [], wasRefused: wasRefused)
    group?.didRemoveConnection(from: index)
    // Not at once: whoever has just found the end of the last connection still holds a buffer.
    if isStopping || isDraining { timer?.start(after: 0, repeating: Self.tickMilliseconds) }
  }

  private func tick() {
    let now = loop.now
    // Those of this moment: one that goes meanwhile is taken out of another table.
    for session in sessions.values { session.tick(now) }
    if index == 0, sweepDue <= now, !sweepRequest.isInFlight, !isStopping {
      // A short expiry is kept, too; the steps are a quarter of it.
      let seconds = min(configuration.partialExpirySeconds, 4 * Self.sweepSeconds)
      sweepDue = now.advanced(byMilliseconds: max(1000, 250 * seconds))
      sweep.expiry.seconds = configuration.partialExpirySeconds
      sweepRequest.submit(sweep)
    }
    if isStopping || isDraining { closeIfEmpty() }
  }

  // MARK: Stopping

  private func drain() {
    guard !isDraining else { return }
    isDraining = true
    for session in Array(sessions.values) { session.drain() }
    closeIfEmpty()
  }

  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    for session in Array(sessions.values) { session.end(because: .shutdown) }
    closeIfEmpty()
  }

  private func closeIfEmpty() {
    guard sessions.isEmpty, othersRunning == 0, !hasEnded, let group else { return }
    require(pool.usedCount == 0, "every buffer came back before its worker ended")
    timer?.close()
    timer = nil
    rates.close()
    returnMail(mailbox.close(), group)
    if index > 0 { group.workers[0].post(.workerDidEnd) }
    onEnd?()
    onEnd = nil
    // The group holds its workers.
    self.group = nil
  }
}

/// Removes what was abandoned; submitted again and again.
private final class SweepJob: PoolJob {
  private let shared: Shared
  /// Owned by the job while it runs.
  var expiry: PartialExpiry
  private var removed = 0

  init(_ shared: Shared, expirySeconds: UInt64) {
    self.shared = shared
    expiry = PartialExpiry(
      seconds: expirySeconds, now: SystemClock.monotonicNow(), bootTime: SystemClock.bootTime())
  }

  func run() {
    expiry.beginSweep(bootTime: SystemClock.bootTime())
    removed = shared.store.sweep(expiry, now: SystemClock.monotonicNow(), wall: SystemClock.wallNow())
  }

  func finish(cancelled: Bool) {
    guard removed > 0 else { return }
    shared.log.write(.notice) {
      $0.append("removed ")
      $0.append(decimal: UInt64(removed))
      $0.append(" unfinished uploads that nobody came back for")
    }
  }
}
