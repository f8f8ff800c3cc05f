// The server side.

internal import SpliceBase
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceWire

/// Serves a folder to every client of the Splice protocol, as the program `spliced` does.
///
/// It listens from the beginning, so that its port is known; clients that connect wait until it runs.
///
/// ```swift
/// var options = SpliceServer.Options()
/// options.listen = ["0.0.0.0:7420"]
/// let server = try SpliceServer(folder: "/srv/archive", options)
/// try await withThrowingTaskGroup(of: Void.self) { group in
///   group.addTask { try await server.run() }
///   for await case .connected(let client, let address) in server.events() { print(client, address) }
/// }
/// ```
public final class SpliceServer: Sendable {
  /// A number that no other client of the same server ever has.
  public typealias ClientID = UInt64

  /// How a server serves. Every property has the default of `spliced`.
  public struct Options: Sendable {
    /// `ADDRESS:PORT` each, as `127.0.0.1:7420` or `[::1]:7420`; port 0 takes any free one.
    public var listen = ["127.0.0.1:7420"]
    /// Loops, each a thread: 1 to 64.
    public var workers = 1
    /// Clients at a time; the next one is told to come back.
    public var clientsMax = 1024
    /// Clients from one address at a time; 0: as many as in all.
    public var clientsPerAddressMax = 0
    /// Bytes for what was received and is on its way to the disk, at least 1 MiB.
    public var memory = 16 << 20
    /// Uploads are made durable after so many bytes, at least 1 MiB …
    public var checkpointBytes: UInt64 = 64 << 20
    /// … or this time, at least one second.
    public var checkpointInterval: Duration = .seconds(5)
    /// A client is disconnected that is silent for so long; nil: never.
    public var idleTimeout: Duration? = .seconds(60)
    /// Bytes a second, in and out, of all clients, at least 1024; 0: no limit.
    public var rate: UInt64 = 0
    /// The same, of each client.
    public var clientRate: UInt64 = 0
    /// Bytes of the disk that uploads leave free.
    public var freeSpaceMin: UInt64 = 0
    /// Stores and changes nothing.
    public var isReadOnly = false

    public init() {}
  }

  private let host: ServerHost
  private let hub: ServerHub

  /// Opens the folder and listens.
  ///
  /// - Throws: ``SpliceError/Code/invalidArgument``, ``SpliceError/Code/badAddress``,
  ///   ``SpliceError/Code/cannotListen``, ``SpliceError/Code/folderInUse``, and for the folder
  ///   ``SpliceError/Code/notFound``, ``SpliceError/Code/denied`` and others of their kind.
  public init(folder: SplicePath, _ options: Options = Options()) throws(SpliceError) {
    let hub = ServerHub()
    do throws(Failure) {
      host = try ServerHost.open(
        root: folder.bytes, try ServerConfiguration(options), Log(threshold: .error) { _, _ in }, observer: hub
      ) { hub.serverDidStop() }
    } catch { throw SpliceError(error) }
    self.hub = hub
  }

  deinit {
    // `run` holds a reference, so this is one that does not serve.
    do throws(Failure) { try host.close() } catch { preconditionFailure("a server was dropped that serves") }
  }

  /// Where it listens, with the ports that the system chose, as text.
  public var addresses: [String] {
    host.addresses.map {
      var text: [UInt8] = []
      $0.format(into: &text)
      return String(decoding: text, as: UTF8.self)
    }
  }

  /// The port of the first address.
  public var port: UInt16 { host.addresses.first?.port ?? 0 }

  /// Serves until `stop`, or until the task is cancelled: then unfinished uploads are made durable, clients
  /// are told, and it returns. Once.
  ///
  /// - Throws: ``SpliceError/Code/wrongState`` when it ran already, ``SpliceError/Code/noResources``.
  public func run() async throws(SpliceError) {
    do throws(Failure) { try host.start() } catch { throw SpliceError(error) }
    await withTaskCancellationHandler {
      await hub.waitForEnd()
    } onCancel: {
      host.stop()
    }
    do throws(Failure) { try host.wait() } catch { throw SpliceError(error) }
  }

  /// Lets `run` return soon. Before it: it will return at once.
  public func stop() { host.stop() }

  /// What clients do from now on, until the server has stopped. Each call gives a sequence of its own, which
  /// keeps what its reader has not taken yet.
  public func events() -> AsyncStream<Event> { hub.subscribe() }

  /// Everybody who is connected, by rising number.
  ///
  /// - Throws: ``SpliceError/Code/wrongState`` when it does not run.
  public func clients() async throws(SpliceError) -> [Client] {
    let sessions = await answer { (host, give) throws(Failure) in try host.listSessions { give($0) } }
    return try sessions.get().map { Client($0) }
  }

  /// Disconnects a client, which is told so and does not come back by itself. What it uploaded is kept.
  ///
  /// - Throws: ``SpliceError/Code/notFound`` when there is no such client, ``SpliceError/Code/wrongState``
  ///   when the server does not run.
  public func disconnect(_ client: ClientID) async throws(SpliceError) {
    let wasThere = await answer { (host, give) throws(Failure) in try host.kick(client) { give($0) } }
    guard try wasThere.get() else {
      throw SpliceError(Failure(FailureCode(.notFound), Array("no client has the number \(client)".utf8)))
    }
  }

  /// - Parameter count: clients at a time from now on, at least 1; those that are there stay.
  public func setClientsMax(_ count: Int) {
    precondition(count > 0, "at least one client")
    host.limit(connectionsMax: count)
  }

  /// An answer that comes once, later, on the thread that serves; or the reason why it never will.
  private func answer<Answer: Sendable>(
    _ ask: (ServerHost, @escaping @Sendable (Answer) -> Void) throws(Failure) -> Void
  ) async -> Result<Answer, SpliceError> {
    await withCheckedContinuation { continuation in
      do throws(Failure) {
        try ask(host) { continuation.resume(returning: .success($0)) }
      } catch { continuation.resume(returning: .failure(SpliceError(error))) }
    }
  }
}

extension ServerConfiguration {
  fileprivate init(_ options: SpliceServer.Options) throws(Failure) {
    self.init()
    for text in options.listen {
      guard let address = SocketAddress.parse(Array(text.utf8)) else {
        throw Failure(.badAddress, Array("\(text): \(FailureCode.badAddress.sentence)".utf8))
      }
      listen.append(address)
    }
    func require(_ isRight: Bool, _ name: StaticString) throws(Failure) {
      if !isRight { throw Failure(.invalidArgument, Array("\(name) is out of its range".utf8)) }
    }
    try require(!listen.isEmpty, "listen")
    try require((1...64).contains(options.workers), "workers")
    try require(options.clientsMax > 0, "clientsMax")
    try require(options.clientsPerAddressMax >= 0, "clientsPerAddressMax")
    try require((1 << 20...1 << 40).contains(options.memory), "memory")
    try require(options.checkpointBytes >= 1 << 20, "checkpointBytes")
    try require(options.checkpointInterval >= .seconds(1), "checkpointInterval")
    try require(options.idleTimeout.map { $0 >= .milliseconds(1) } ?? true, "idleTimeout")
    try require(options.rate == 0 || options.rate >= Limits.rateMin, "rate")
    try require(options.clientRate == 0 || options.clientRate >= Limits.rateMin, "clientRate")
    workers = options.workers
    connectionsMax = options.clientsMax
    perAddressMax = options.clientsPerAddressMax
    memory = options.memory
    checkpointBytes = options.checkpointBytes
    checkpointMilliseconds = options.checkpointInterval.milliseconds
    idleMilliseconds = options.idleTimeout?.milliseconds ?? 0
    rate = options.rate
    sessionRate = options.clientRate
    freeSpaceMin = options.freeSpaceMin
    isReadOnly = options.isReadOnly
  }
}

extension Duration {
  fileprivate var milliseconds: UInt64 {
    let (seconds, attoseconds) = components
    let whole = UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1000)
    return whole.overflow ? .max / 2 : whole.partialValue + UInt64(max(0, attoseconds) / 1_000_000_000_000_000)
  }
}
