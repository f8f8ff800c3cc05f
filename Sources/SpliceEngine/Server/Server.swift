// A whole daemon: store, workers, listeners; from start to the last checkpoint.

internal import SpliceBase
package import SpliceSystem
package import SpliceUV
internal import SpliceWire
internal import Synchronization

package enum ServerError: Error, Equatable {
  /// This address cannot be listened on.
  case cannotListen(SocketAddress, Errno)
  /// The control socket cannot be made.
  case cannotControl(Errno)
  /// No memory or descriptors for the loops.
  case cannotStart(UVError)
}

/// Runs on the thread that calls `run`, and on one more for each further worker.
package final class Server: Administration {
  private let shared: Shared
  private let group: WorkerGroup
  private var configuration: ServerConfiguration
  private var acceptors: [Acceptor] = []
  private var control: ControlListener?
  private var signals: [SignalWatcher] = []
  private var threads: [LoopThread] = []
  private var aliveTimer: Timer?
  /// Called once, when it begins to stop.
  package var onStop: (() -> Void)?
  private var isDraining = false
  /// Where it listens, with the ports that the kernel chose.
  package private(set) var addresses: [SocketAddress] = []
  /// Reads the options again, at SIGHUP and when the administrator asks. Returns the new ones, if they are
  /// right, and what a person should know.
  package var onReload: (() -> (configuration: ServerConfiguration?, note: [UInt8]))?

  /// Listens on all addresses; connections are accepted, and signals obeyed, once `run` is called.
  ///
  /// - Parameters:
  ///   - control: nil for a server without a control socket.
  ///   - sockets: that listen already, for somebody opened them for us; first of all in `addresses`.
  package init(
    _ configuration: ServerConfiguration, _ store: Store, control place: ControlPlace?, _ log: Log,
    sockets: [Socket] = []
  ) throws(ServerError) {
    self.configuration = configuration
    shared = Shared(store, log)
    do throws(UVError) {
      group = try WorkerGroup(shared, configuration)
    } catch { throw .cannotStart(error) }
    for socket in sockets {
      if let address = socket.localAddress { try accept(on: socket, address) }
    }
    for address in configuration.listen {
      let socket: Socket
      do throws(Errno) {
        socket = try Acceptor.listen(address)
      } catch { throw .cannotListen(address, error) }
      try accept(on: socket, socket.localAddress ?? address)
    }
    if let place {
      let socket: Socket
      do throws(Errno) { socket = try place.listen() } catch { throw .cannotControl(error) }
      do throws(UVError) {
        control = try ControlListener(place, socket, group.workers[0], self)
      } catch { throw .cannotStart(error) }
    }
    try watchSignals(group.workers[0].loop)
  }

  private func accept(on socket: Socket, _ address: SocketAddress) throws(ServerError) {
    addresses.append(address)
    do throws(UVError) {
      acceptors.append(try Acceptor(socket, shared, group))
    } catch { throw .cannotStart(error) }
  }

  /// At the end of `init`, and not in `run`: whoever learns a port may also ask us to stop.
  private func watchSignals(_ loop: Loop) throws(ServerError) {
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

  /// Serves until SIGTERM or SIGINT, then checkpoints every unfinished upload and returns.
  package func run() throws(ServerError) {
    let first = group.workers[0]
    first.onEnd = { self.close() }
    do throws(UVError) {
      for worker in group.workers.dropFirst() {
        threads.append(try LoopThread { worker.run() })
      }
    } catch { throw .cannotStart(error) }
    first.run()
    for thread in threads { thread.join() }
  }

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
      for worker in group.workers { worker.post(.reconfigure(fresh)) }
    }
    return note
  }

  // MARK: Stopping

  private func stop() {
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
  }
}
