// Transfers inside another program: files between here and one server, from the plan to the last result.

internal import SpliceBase
package import SpliceEngine
internal import SpliceSystem
internal import SpliceUV
package import SpliceWire

/// Which files go where, and how.
package struct TransferPlan: Sendable {
  package enum Direction: Sendable {
    case put
    case get
  }

  package struct File: Sendable {
    package var local: [UInt8]
    /// Below the path of the URL; empty: the last name of `local`, or, where the URL names the file itself,
    /// nothing.
    package var remote: [UInt8]

    package init(local: [UInt8], remote: [UInt8]) {
      self.local = local
      self.remote = remote
    }
  }

  package var direction: Direction
  /// `splice://HOST[:PORT]/FOLDER/`, or with one file also `…/NAME`.
  package var url: [UInt8]
  package var files: [File]
  /// Folders, too, with everything in them.
  package var isRecursive = false
  /// What a `put` does where there is a file of that name.
  package var policy = OfferPolicy.replace
  /// Where digests of local files are kept for the next time; nil: nowhere.
  package var cacheFolder: [UInt8]?
  /// How long to go on trying without any progress; 0: one attempt.
  package var retrySeconds: UInt64 = 600
  /// What may come and go; 0: no limit, else at least `Limits.rateMin`.
  package var bytesPerSecond: UInt64 = 0

  package init(_ direction: Direction, url: [UInt8], files: [File]) {
    self.direction = direction
    self.url = url
    self.files = files
  }
}

/// What the C library and the Swift module wrap: one run of `put` or `get`, once, on the caller's thread
/// (`run`) or on one of its own (`start`).
///
/// - Threads: any, unless a method says otherwise.
package final class TransferHost: ClientObserver, @unchecked Sendable {
  private typealias Pair = (local: [UInt8], remote: WirePath)

  private enum State {
    case planned
    case starting
    case running(ClientRun)
    case ended(Failure?)
  }

  private let plan: TransferPlan
  private let server: ServerPlace
  /// The path of the URL.
  private let writtenPath: [UInt8]
  /// The files of the plan, with whole remote paths.
  private let pairs: [Pair]
  private let observer: any ClientObserver
  private let onEnd: (@Sendable (Failure?) -> Void)?
  /// Of the first file that failed. The thread that runs.
  private var failure: Failure?

  private let thread = OwnThread()
  private let mutex = Mutex()
  // All below: with the mutex.
  private var state = State.planned
  private var isCancelWanted = false

  /// Checks the plan; nothing is tried yet.
  ///
  /// - Parameters:
  ///   - observer: called on the thread that runs.
  ///   - onEnd: called once, as the last thing, on the thread that ran, with what `run` throws.
  package static func make(
    _ plan: TransferPlan, observer: any ClientObserver, onEnd: (@Sendable (Failure?) -> Void)? = nil
  ) throws(Failure) -> TransferHost {
    let endpoint: Endpoint
    do throws(EndpointError) {
      endpoint = try Endpoint(plan.url)
    } catch {
      throw Failure(.badURL, plan.url + [UInt8](": ") + [UInt8](error.sentence))
    }
    guard !plan.files.isEmpty else { throw Failure(.invalidArgument, [UInt8]("there are no files to transfer")) }
    var pairs: [Pair] = []
    for file in plan.files { pairs.append(try pair(file, plan, endpoint)) }
    let targets = pairs.map { plan.direction == .put ? $0.remote.bytes : $0.local }
    if let index = LocalNames.firstRepeated(targets) {
      throw Failure(.invalidArgument, targets[index] + [UInt8](": two files would go to one place"))
    }
    // A server that is gone must be an error of a transfer, not the end of the whole program.
    Process.ignoreBrokenPipeUnlessHandled()
    return TransferHost(plan, endpoint, pairs, observer, onEnd)
  }

  private init(
    _ plan: TransferPlan, _ endpoint: Endpoint, _ pairs: [Pair], _ observer: any ClientObserver,
    _ onEnd: (@Sendable (Failure?) -> Void)?
  ) {
    self.plan = plan
    server = endpoint.server
    writtenPath = endpoint.path.bytes
    self.pairs = pairs
    self.observer = observer
    self.onEnd = onEnd
  }

  private static func pair(
    _ file: TransferPlan.File, _ plan: TransferPlan, _ endpoint: Endpoint
  ) throws(Failure) -> Pair {
    guard !file.local.isEmpty else { throw Failure(.invalidArgument, [UInt8]("the name of a local file is empty")) }
    let remote: WirePath
    if endpoint.isFolder {
      let name = file.remote.isEmpty && plan.direction == .put ? LocalNames.lastComponent(file.local) : file.remote
      let path = LocalNames.join(endpoint.path.bytes, name)
      if path.isEmpty, plan.isRecursive {
        remote = .root
      } else {
        guard let checked = WirePath(path) else {
          throw Failure(FailureCode(.badPath), path + [UInt8](": not a path that a server can have"))
        }
        remote = checked
      }
    } else {
      guard plan.files.count == 1, file.remote.isEmpty else {
        throw Failure(.badURL, plan.url + [UInt8](": end it with '/' to name what is in that folder"))
      }
      remote = endpoint.path
    }
    if plan.direction == .get, LocalNames.isFolder(file.local) {
      return (LocalNames.join(file.local, remote.name), remote)
    }
    return (file.local, remote)
  }

  // MARK: Running

  /// Transfers on the calling thread.
  ///
  /// - Throws: the failure of the first file that failed, or `cancelled`. The observer heard of each.
  package func run() throws(Failure) {
    guard mutex.withLock({ begin() }) else { throw Failure(.wrongState) }
    if let failure = transfer() { throw failure }
  }

  /// Transfers on a thread of its own; `wait` for its end.
  package func start() throws(Failure) {
    guard mutex.withLock({ begin() }) else { throw Failure(.wrongState) }
    do throws(UVError) {
      try thread.start { _ = self.transfer() }
    } catch {
      mutex.withLock { state = .ended(Failure(.noResources)) }
      throw Failure(.noResources)
    }
  }

  private func begin() -> Bool {
    guard case .planned = state else { return false }
    state = .starting
    return true
  }

  private func transfer() -> Failure? {
    var isCancelled = false
    do throws(UVError) {
      let run = try ClientRun(server, retrySeconds: plan.retrySeconds, source: makeSource(), observer: self)
      run.bytesPerSecond = plan.bytesPerSecond
      mutex.withLock {
        state = .running(run)
        if isCancelWanted { run.requestCancel() }
      }
      try run.run()
      isCancelled = run.isInterrupted
    } catch {
      var text = [UInt8]("cannot start an event loop: ")
      error.describe(into: &text)
      failure = Failure(.noResources, text)
    }
    let failure = isCancelled ? Failure(.cancelled) : self.failure
    mutex.withLock { state = .ended(failure) }
    onEnd?(failure)
    return failure
  }

  private func makeSource() -> any TaskSource {
    let cache = DigestCache(path: plan.cacheFolder)
    switch plan.direction {
    case .put:
      let operands = pairs.map { LocalTree.Operand(localPath: $0.local, remotePath: $0.remote.bytes) }
      let tree = LocalTree(operands, writtenPath: writtenPath, isRecursive: plan.isRecursive, observer: self)
      return UploadSource(tree, policy: plan.policy, cache)
    case .get:
      let source = DownloadSource(isRecursive: plan.isRecursive, cache, observer: self)
      // What was added last is fetched first.
      for pair in pairs.reversed() { source.add(pair.remote, localPath: pair.local) }
      return source
    }
  }

  // MARK: Ending

  /// Stops what moves and keeps it; soon, not at once. What has not become whole fails with `cancelled`.
  package func cancel() {
    mutex.withLock {
      isCancelWanted = true
      if case .running(let run) = state { run.requestCancel() }
    }
  }

  /// Waits for the end of what `start` began; one thread at a time.
  ///
  /// - Throws: what `run` would throw; `wrongState` on the thread that runs, as in the observer, and where
  ///   nothing was started.
  package func wait() throws(Failure) {
    if thread.isCurrent { throw Failure(.wrongState) }
    thread.join()
    try mutex.withLock { () throws(Failure) in
      guard case .ended(let failure) = state else { throw Failure(.wrongState) }
      if let failure { throw failure }
    }
  }

  /// Cancels, and waits for its thread. Idempotent.
  ///
  /// - Throws: `wrongState`, without any effect, while it runs on a thread of the caller, and on its own.
  package func close() throws(Failure) {
    guard !thread.isCurrent, mutex.withLock({ mayClose() }) else { throw Failure(.wrongState) }
    cancel()
    thread.join()
  }

  private func mayClose() -> Bool {
    switch state {
    case .planned: state = .ended(Failure(.cancelled))
    case .starting, .running: return thread.isThere
    case .ended: break
    }
    return true
  }

  // MARK: From the run

  package func runDidAdvance(_ progress: RunProgress) { observer.runDidAdvance(progress) }

  package func runDidNotice(_ text: [UInt8]) { observer.runDidNotice(text) }

  package func runDidFinish(_ result: FileResult) {
    if case .failed(let error) = result.outcome, failure == nil { failure = Failure(error) }
    observer.runDidFinish(result)
  }
}

extension Failure {
  package init(_ error: ClientError) {
    var text: [UInt8] = []
    if !error.path.isEmpty {
      text.append(visible: error.path)
      text.append(": ")
    }
    text.append(contentsOf: error.text)
    var code = FailureCode(error.code)
    var system: Errno?
    switch error.cause {
    case .unspecified: break
    case .unknownHost: code = .unknownHost
    case .disconnected: code = .disconnected
    case .cancelled: code = .cancelled
    case .system(let errno):
      system = errno
      if error.code == .cannotConnect, errno == .connectionRefused { code = .refused }
    }
    self.init(code, text, cause: system)
  }
}
