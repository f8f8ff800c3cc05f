// One thread, one loop, its connections and its buffers.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV
internal import Synchronization

/// What all workers share: immutable, or safe for any thread by itself.
final class Shared: Sendable {
  let configuration: ServerConfiguration
  let store: Store
  let log: Log
  /// Connections open on all workers.
  let connectionCount = Atomic<Int>(0)
  private let nextSession = Atomic<UInt64>(1)

  init(_ configuration: ServerConfiguration, _ store: Store, _ log: Log) {
    self.configuration = configuration
    self.store = store
    self.log = log
  }

  /// An id that no other connection of this daemon had or will have.
  func makeSession() -> UInt64 { nextSession.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// Serves the connections that it is given. All but `post`, `load` and `run` belong to its thread.
final class Worker {
  let index: Int
  let loop: Loop
  let pool: BufferPool
  let shared: Shared
  /// All workers, this one among them; set before any runs.
  var group: WorkerGroup?
  private(set) var mailbox: Mailbox?
  private var timer: Timer?
  private var connections: [UInt64: Connection] = [:]
  private var isStopping = false
  private let sweepRequest: PoolRequest
  private var sweepDue: Instant

  private static let tickMilliseconds: UInt64 = 500
  private static let sweepMilliseconds: UInt64 = 3_600_000

  init(index: Int, _ shared: Shared) throws(UVError) {
    self.index = index
    self.shared = shared
    loop = try Loop()
    pool = BufferPool(bytes: shared.configuration.memory / shared.configuration.workers)
    sweepRequest = PoolRequest(loop)
    sweepDue = loop.now
    mailbox = try Mailbox(loop) { self.readMail() }
    let timer = try Timer(loop) { self.tick() }
    timer.start(after: 0, repeating: Self.tickMilliseconds)
    self.timer = timer
  }

  /// Runs until `stop` was posted and everything is closed.
  func run() {
    while loop.run() {}
    loop.close()
  }

  @discardableResult
  func post(_ message: Message) -> Bool { mailbox?.post(message) ?? false }

  private func readMail() {
    guard let mailbox else { return }
    for message in mailbox.drain() {
      switch message {
      case .accept(let socket): adopt(socket)
      case .evict(let address): connections[address.session]?.evict(stream: address.stream)
      case .leaseIsFree(let address): connections[address.session]?.retryLease(stream: address.stream)
      case .stop: stop()
      }
    }
  }

  // MARK: Connections

  /// - Parameter isRefused: there are too many; it is only told so.
  func adopt(_ socket: Socket, isRefused: Bool = false) {
    let id = shared.makeSession()
    do throws(UVError) {
      let connection = try Connection(id: id, socket, worker: self)
      connections[id] = connection
      if isRefused { connection.refuse() } else if isStopping { connection.shutDown() }
    } catch {
      socket.close()
      didRemoveConnection()
    }
  }

  /// The connection's socket is closed and its streams have let go of their files.
  func remove(_ connection: Connection) {
    guard connections.removeValue(forKey: connection.id) != nil else { return }
    didRemoveConnection()
  }

  private func didRemoveConnection() {
    shared.connectionCount.subtract(1, ordering: .relaxed)
    group?.didRemoveConnection(from: index)
    if isStopping { closeIfEmpty() }
  }

  private func tick() {
    let now = loop.now
    for connection in Array(connections.values) { connection.tick(now) }
    if index == 0, sweepDue <= now, !sweepRequest.isInFlight, !isStopping {
      sweepDue = now.advanced(byMilliseconds: Self.sweepMilliseconds)
      sweepRequest.submit(SweepJob(shared))
    }
  }

  // MARK: Stopping

  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    for connection in Array(connections.values) { connection.shutDown() }
    closeIfEmpty()
  }

  private func closeIfEmpty() {
    guard connections.isEmpty, timer != nil else { return }
    require(!pool.isInUse, "every buffer came back before its worker ended")
    timer?.close()
    timer = nil
    mailbox?.close()
    mailbox = nil
    // The group holds its workers.
    group = nil
  }
}

/// Removes what was abandoned.
private final class SweepJob: PoolJob {
  private let shared: Shared
  private var removed = 0

  init(_ shared: Shared) { self.shared = shared }

  func run() {
    removed = shared.store.sweep(
      partialsOlderThan: shared.configuration.partialExpirySeconds, now: SystemClock.wallNow())
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
