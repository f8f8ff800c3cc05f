// A whole daemon: store, workers, listeners; from start to the last checkpoint.

internal import SpliceBase
package import SpliceSystem
package import SpliceUV
package import SpliceWire
internal import Synchronization

package enum ServerError: Error, Equatable {
  /// This address cannot be listened on.
  case cannotListen(SocketAddress, Errno)
  /// The control socket cannot be made.
  case cannotControl(Errno)
  /// No memory or descriptors for the loops.
  case cannotStart(UVError)

  /// What failed and why, for a person.
  package var sentence: [UInt8] {
    var text: [UInt8] = []
    switch self {
    case .cannotListen(let address, let errno):
      text.append("cannot listen on ")
      address.format(into: &text)
      text.append(": ")
      text.append(errno.name)
    case .cannotControl(let errno):
      text.append("cannot make the control socket: ")
      text.append(errno.name)
      text.append(errno == .addressInUse ? "; another daemon answers there" : "; name another place with --control")
    case .cannotStart(let error):
      text.append("cannot start: ")
      error.describe(into: &text)
    }
    return text
  }
}

/// Runs on the thread that calls `run`, or in the loop of another program, and on one thread more for each
/// further worker.
package final class Server: Administration {
  private let shared: Shared
  private let group: WorkerGroup
  private var configuration: ServerConfiguration
  private var acceptors: [Acceptor] = []
  private var control: ControlListener?
  private var metrics: MetricsListener?
  private var signals: [SignalWatcher] = []
  private var threads: [LoopThread] = []
  private let mutex = Mutex()
  /// Of `threads`; with the mutex.
  private var threadIDs: [UInt] = []
  private var aliveTimer: Timer?
  /// Called once, when it begins to stop.
  package var onStop: (() -> Void)?
  private var isDraining = false
  private var isStopping = false
  /// Where it listens, with the ports that the kernel chose.
  package private(set) var addresses: [SocketAddress] = []
  package private(set) var qtAddresses: [SocketAddress] = []
  package private(set) var metricsAddress: SocketAddress?
  /// Reads the options again, at SIGHUP and when the administrator asks. Returns the new ones, if they are
  /// right, and what a person should know.
  package var onReload: (() -> (configuration: ServerConfiguration?, note: [UInt8]))?

  /// Listens on all addresses; connections are accepted once `run` or `attach` is called, one of which has to
  /// be.
  ///
  /// - Parameters:
  ///   - control: nil for a server without a control socket.
  ///   - syncs: what the folder of `store` reports to.
  ///   - sockets: that listen already, for somebody opened them for us; first of all in `addresses`.
  ///   - loop: of another program, for the first worker.
  package init(
    _ configuration: ServerConfiguration, _ store: Store, control place: ControlPlace?, _ log: Log,
    sockets: [Socket] = [], syncs: SyncMeter = SyncMeter(), observer: (any ServerObserver)? = nil, loop: Loop? = nil
  ) throws(ServerError) {
    self.configuration = configuration
    shared = Shared(store, log, syncs, observer)
    shared.door.limit(
      connectionsMax: configuration.connectionsMax, perAddressMax: configuration.perAddressMax)
    // What is likely to fail comes before what would have to be taken down again.
    let listeners = try sockets + Self.listen(on: configuration.listen)
    let qtListeners = try Self.listen(on: configuration.listenForQt)
    let metricsListeners = try Self.listen(on: configuration.metrics.map { [$0] } ?? [])
    var controlSocket: Socket?
    if let place {
      do throws(Errno) { controlSocket = try place.listen() } catch { throw .cannotControl(error) }
    }
    do throws(UVError) {
      group = try WorkerGroup(shared, configuration, first: loop)
    } catch { throw .cannotStart(error) }
    do throws(UVError) {
      for socket in listeners {
        acceptors.append(try Acceptor(socket, .native, shared, group))
        if let address = socket.localAddress { addresses.append(address) }
      }
      for socket in qtListeners {
        acceptors.append(try Acceptor(socket, .qt, shared, group))
        if let address = socket.localAddress { qtAddresses.append(address) }
      }
      if let socket = metricsListeners.first {
        metricsAddress = socket.localAddress
        metrics = try MetricsListener(socket, group.workers[0])
      }
      if let place, let controlSocket {
        control = try ControlListener(place, controlSocket, group.workers[0], self)
      }
    } catch {
      discard()
      throw .cannotStart(error)
    }
  }

  /// Sockets that listen on these addresses, in order.
  package static func listen(on addresses: [SocketAddress]) throws(ServerError) -> [Socket] {
    var sockets: [Socket] = []
    for address in addresses {
      do throws(Errno) {
        sockets.append(try Acceptor.listen(address))
      } catch { throw .cannotListen(address, error) }
    }
    return sockets
  }

  /// From now on SIGTERM and SIGINT end it, and SIGHUP makes it read its options again. Before anybody learns
  /// of it: whoever does may also ask it to stop.
  package func obeySignals() throws(ServerError) {
    let loop = group.workers[0].loop
    do throws(UVError) {
      for number in [SignalWatcher.terminate, SignalWatcher.interrupt] {
        signals.append(try SignalWatcher(loop, signal: number) { self.stop() })
      }
      signals.append(
        try SignalWatcher(loop, signal: SignalWatcher.hangUp) {
          let note = self.reload()
          self.shared.log.write(.notice) { $0.append(contentsOf: note) }
        })
    } catch { throw .cannotStart(error) }
  }

  /// Calls `report` every so often, for as long as the first worker's loop goes round.
  package func reportAlive(
    everyMilliseconds milliseconds: UInt64, _ report: @escaping () -> Void
  ) throws(ServerError) {
    do throws(UVError) {
      let timer = try Timer(group.workers[0].loop, onFire: report)
      timer.start(after: 0, repeating: milliseconds)
      aliveTimer = timer
    } catch { throw .cannotStart(error) }
  }

  /// Serves until it is told to stop, then checkpoints every unfinished upload and returns.
  package func run() throws(ServerError) {
    let failure = startThreads()
    group.workers[0].run()
    for thread in threads { thread.join() }
    if let failure { throw .cannotStart(failure) }
  }

  /// Serves in the loop that `init` was given, for as long as its owner runs it and nobody says stop.
  ///
  /// - Parameter onEnd: called once, in that loop, which has nothing of ours any more then.
  package func attach(onEnd: @escaping () -> Void) throws(ServerError) {
    let loop = group.workers[0].loop
    let failure = startThreads()
    loop.whenEmpty {
      loop.close()
      for thread in self.threads { thread.join() }
      // Without threads it never served, and its owner knows.
      if failure == nil { onEnd() }
    }
    if let failure { throw .cannotStart(failure) }
  }

  /// One for each worker but the first. Where the system has no more, everything is told to stop.
  private func startThreads() -> UVError? {
    group.workers[0].onEnd = { self.close() }
    let others = group.workers.dropFirst()
    do throws(UVError) {
      for worker in others {
        threads.append(
          try LoopThread {
            self.mutex.withLock { self.threadIDs.append(LoopThread.current) }
            worker.run()
          })
      }
      return nil
    } catch {
      stop()
      for worker in others.dropFirst(threads.count) { worker.run() }
      return error
    }
  }

  /// Takes down what was made and never ran.
  private func discard() {
    group.workers[0].onEnd = { self.close() }
    stop()
    for worker in group.workers.dropFirst() { worker.run() }
    let loop = group.workers[0].loop
    if loop.isAdopted { loop.whenEmpty { loop.close() } } else { group.workers[0].run() }
  }

  // MARK: From any thread

  /// Checkpoints every unfinished upload, says goodbye to the clients, and ends.
  package func requestStop() { _ = perform { self.stop() } }

  /// - Parameter connectionsMax: clients at a time from now on; those that are there stay.
  package func limit(connectionsMax: Int) {
    shared.door.limit(connectionsMax: connectionsMax, perAddressMax: nil)
  }

  /// - Parameter completion: called once with all clients by rising id, on the first worker's thread.
  /// - Returns: false when the server has ended; `completion` is not called then.
  package func listSessions(_ completion: @escaping ([SessionEntry]) -> Void) -> Bool {
    perform { Inquiry.ask(.allSessions, self.group) { completion($0.sessions) } }
  }

  /// Disconnects one client. What it uploaded so far is kept.
  ///
  /// - Parameter completion: called once on the first worker's thread; false when there is no such client.
  /// - Returns: false when the server has ended; `completion` is not called then.
  package func kick(_ id: UInt64, _ completion: @escaping (Bool) -> Void) -> Bool {
    perform { Inquiry.ask(.kick(id), self.group) { completion(!$0.sessions.isEmpty) } }
  }

  /// Whether the caller is one of the threads that `run` or `attach` made.
  package var isOnOwnThread: Bool { mutex.withLock { threadIDs.contains(LoopThread.current) } }

  private func perform(_ body: @escaping () -> Void) -> Bool { group.workers[0].post(.call(body)) }

  // MARK: Administration

  func drain() -> DrainState {
    let transfers = UInt32(clamping: group.transferCount)
    if isDraining {
      stop()
      return DrainState(transfers: transfers, isEnding: true)
    }
    isDraining = true
    shared.log.write(.notice) { line in
      line.append("draining: no new clients; transfers under way: ")
      line.append(decimal: UInt64(transfers))
    }
    closeAcceptors()
    for worker in group.workers { worker.post(.drain) }
    return DrainState(transfers: transfers, isEnding: transfers == 0)
  }

  func reload() -> [UInt8] {
    guard let (fresh, note) = onReload?() else { return [UInt8]("there is nothing to read again") }
    if let fresh {
      configuration = fresh
      shared.door.limit(connectionsMax: fresh.connectionsMax, perAddressMax: fresh.perAddressMax)
      for worker in group.workers { worker.post(.reconfigure(fresh)) }
    }
    return note
  }

  // MARK: Stopping

  private func stop() {
    guard !isStopping else { return }
    isStopping = true
    onStop?()
    onStop = nil
    shared.log.write(.notice) { $0.append("stopping: what was received is being checkpointed") }
    closeAcceptors()
    for worker in group.workers { worker.post(.stop) }
  }

  private func closeAcceptors() {
    for acceptor in acceptors { acceptor.close() }
    acceptors = []
  }

  /// The last session is gone.
  private func close() {
    onStop?()
    onStop = nil
    aliveTimer?.close()
    aliveTimer = nil
    for signal in signals { signal.close() }
    signals = []
    control?.close()
    control = nil
    metrics?.close()
    metrics = nil
  }
}
