// A server inside another program: from its folder and its sockets to its end.

internal import SpliceBase
package import SpliceSystem
internal import SpliceUV
package import SpliceWire

/// What the C library and the Swift module wrap.
///
/// It listens from the beginning, so that its addresses are known; whoever connects waits until it serves:
/// once, on the caller's thread (`run`), on one of its own (`start`), or in a loop of the caller (`attach`).
///
/// - Threads: any, unless a method says otherwise.
package final class ServerHost: @unchecked Sendable {
  private enum State {
    case listening(ServedFolder, [Socket])
    case starting
    case serving(Server)
    case ended
  }

  /// Where it listens, with the ports that the kernel chose.
  package let addresses: [SocketAddress]
  private let log: Log
  private let observer: (any ServerObserver)?
  private let onEnd: (@Sendable () -> Void)?

  private let thread = OwnThread()
  private let mutex = Mutex()
  // All below: with the mutex.
  private var state: State
  private var configuration: ServerConfiguration
  private var isStopWanted = false

  /// Opens the folder and listens.
  ///
  /// - Parameter onEnd: called once, as the last thing, when it no longer serves, on the thread that served.
  package static func open(
    root: [UInt8], _ configuration: ServerConfiguration, _ log: Log, observer: (any ServerObserver)?,
    onEnd: (@Sendable () -> Void)? = nil
  ) throws(Failure) -> ServerHost {
    let folder: ServedFolder
    do throws(ServedFolderError) {
      folder = try ServedFolder(root, isReadOnly: configuration.isReadOnly)
    } catch { throw Failure(error, path: root) }
    let sockets: [Socket]
    do throws(ServerError) { sockets = try Server.listen(on: configuration.listen) } catch { throw Failure(error) }
    // A peer that is gone must be an error of its transfer, not the end of the whole program.
    Process.ignoreBrokenPipeUnlessHandled()
    return ServerHost(folder, sockets, configuration, log, observer, onEnd)
  }

  private init(
    _ folder: ServedFolder, _ sockets: [Socket], _ configuration: ServerConfiguration, _ log: Log,
    _ observer: (any ServerObserver)?, _ onEnd: (@Sendable () -> Void)?
  ) {
    addresses = sockets.compactMap { $0.localAddress }
    self.configuration = configuration
    self.configuration.listen = []
    self.log = log
    self.observer = observer
    self.onEnd = onEnd
    state = .listening(folder, sockets)
  }

  // MARK: Serving

  /// Serves on the calling thread, until `stop`.
  package func run() throws(Failure) {
    let server = try begin(in: nil)
    try serve(server)
  }

  /// Serves on a thread of its own, until `stop`; `wait` for its end.
  package func start() throws(Failure) {
    let server = try begin(in: nil)
    do throws(UVError) {
      try thread.start {
        do throws(Failure) {
          try self.serve(server)
        } catch {
          self.log.write(.error) { $0.append(contentsOf: error.text) }
        }
      }
    } catch {
      server.requestStop()
      try serve(server)
      throw Failure(.noResources)
    }
  }

  /// Serves in a loop that the caller runs, until `stop`. On that loop's thread.
  ///
  /// - Parameter loop: the address of a `uv_loop_t`; it must not be closed before `onEnd` was called.
  package func attach(loop: UnsafeMutableRawPointer) throws(Failure) {
    let server = try begin(in: Loop(adopting: loop))
    do throws(ServerError) {
      try server.attach { self.didEnd() }
    } catch {
      mutex.withLock { state = .ended }
      throw Failure(error)
    }
  }

  private func serve(_ server: Server) throws(Failure) {
    var failure: Failure?
    do throws(ServerError) { try server.run() } catch { failure = Failure(error) }
    didEnd()
    if let failure { throw failure }
  }

  private func didEnd() {
    mutex.withLock { state = .ended }
    onEnd?()
  }

  private func begin(in loop: Loop?) throws(Failure) -> Server {
    let taken = mutex.withLock { () -> (ServedFolder, [Socket], ServerConfiguration)? in
      guard case .listening(let folder, let sockets) = state else { return nil }
      state = .starting
      return (folder, sockets, configuration)
    }
    guard let (folder, sockets, configuration) = taken else {
      loop?.close()
      throw Failure(.wrongState)
    }
    do throws(ServerError) {
      let server = try Server(
        configuration, folder.store, control: nil, log, sockets: sockets, syncs: folder.syncs, observer: observer,
        loop: loop)
      mutex.withLock {
        state = .serving(server)
        // What was asked for meanwhile.
        if isStopWanted { server.requestStop() }
        server.limit(connectionsMax: self.configuration.connectionsMax)
      }
      return server
    } catch {
      mutex.withLock { state = .ended }
      throw Failure(error)
    }
  }

  // MARK: Ending

  /// Checkpoints what is under way, says goodbye, and ends; soon, not at once. Before it serves: it will end
  /// as soon as it does.
  package func stop() {
    mutex.withLock {
      isStopWanted = true
      if case .serving(let server) = state { server.requestStop() }
    }
  }

  /// Waits for the end of what `start` began; one thread at a time. Nothing is left to wait for the second
  /// time.
  ///
  /// - Throws: on a thread that serves, as in its callbacks.
  package func wait() throws(Failure) {
    if isOnOwnThread { throw Failure(.wrongState) }
    thread.join()
  }

  /// Stops it, waits for its thread, and lets go of folder and sockets. Idempotent.
  ///
  /// - Throws: without any effect, when it serves on a thread, or in a loop, of the caller, which has to come
  ///   to its end first; and on a thread that serves.
  package func close() throws(Failure) {
    guard !isOnOwnThread, mutex.withLock({ mayClose() }) else { throw Failure(.wrongState) }
    stop()
    try wait()
  }

  private func mayClose() -> Bool {
    switch state {
    case .listening: state = .ended
    case .starting, .serving: return thread.isThere
    case .ended: break
    }
    return true
  }

  private var isOnOwnThread: Bool {
    if thread.isCurrent { return true }
    return mutex.withLock {
      guard case .serving(let server) = state else { return false }
      return server.isOnOwnThread
    }
  }

  // MARK: Clients

  /// - Parameter connectionsMax: at a time from now on, at least 1; those that are there stay.
  package func limit(connectionsMax: Int) {
    mutex.withLock {
      configuration.connectionsMax = connectionsMax
      if case .serving(let server) = state { server.limit(connectionsMax: connectionsMax) }
    }
  }

  /// - Parameter completion: called once on the thread that serves, with all clients by rising id.
  /// - Throws: when it does not serve; `completion` is not called then.
  package func listSessions(_ completion: @escaping ([SessionEntry]) -> Void) throws(Failure) {
    guard try server.listSessions(completion) else { throw Failure(.wrongState) }
  }

  /// Disconnects a client; what it uploaded is kept.
  ///
  /// - Parameter completion: called once on the thread that serves; false when there is no such client.
  /// - Throws: when it does not serve; `completion` is not called then.
  package func kick(_ id: UInt64, _ completion: @escaping (Bool) -> Void) throws(Failure) {
    guard try server.kick(id, completion) else { throw Failure(.wrongState) }
  }

  private var server: Server {
    get throws(Failure) {
      try mutex.withLock { () throws(Failure) -> Server in
        guard case .serving(let server) = state else { throw Failure(.wrongState) }
        return server
      }
    }
  }
}
