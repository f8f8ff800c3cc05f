// One command of the client: its connection, its tasks, and trying again when the link breaks.

internal import SpliceBase
internal import SpliceCore
package import SpliceEngine
internal import SpliceSystem
package import SpliceUV
package import SpliceWire

/// Drives tasks over one connection at a time until all have ended or the time for trying is used up.
///
/// Belongs to the thread that calls `run`.
package final class ClientRun: LinkOwner {
  /// The answer to PING is at most this old, or the peer is taken for lost.
  private static let silenceMilliseconds: UInt64 = 60_000
  private static let pingMillisecondsMax: UInt64 = 10_000
  /// More than the answers to all pings of a silence.
  private static let heardBytesMin: UInt64 = 1024
  /// The longest pause that a server can ask for.
  private static let retryAfterSecondsMax: UInt32 = 3600
  private static let tickMilliseconds: UInt64 = 250
  /// Large files that move at a time: one that moves, one that is about to.
  private static let bulkMax = 2
  private static let bufferBytes = 16 << 20

  package let loop: Loop
  package let pool: BufferPool
  /// Downloads that are whole.
  package let commits: CommitQueue
  package let shortJobs: ShortJobs
  package let boot: Boot
  /// How long a task waits for its next message before the connection is taken for broken; see `Patience`.
  package var answerMilliseconds: UInt64 = 120_000
  /// What may come and go over all connections of the run, one after another; 0: no limit. Before `run`.
  package var bytesPerSecond: UInt64 = 0
  private let place: ServerPlace
  private let source: any TaskSource
  private let observer: any ClientObserver
  private var backoff: Backoff

  private var connector: Connector?
  private var link: Link?
  private var isReady = false
  /// A Splice server was there, at some time of this run.
  private var hasBeenReady = false
  private var pingMilliseconds = ClientRun.pingMillisecondsMax
  /// In a program with many files of its own, too, transfers leave the most of its descriptors alone.
  private let streamsWanted = min(
    Limits.streamsPerConnectionMax, max(1, Process.descriptorLimit() / Limits.descriptorsPerStream))
  /// What the server has agreed to.
  private var streamsMax = 0
  private var nextStream: UInt64 = 1
  private var dataTarget: (any ClientTask)?
  private var backlog = 0
  private var lastPing: Instant
  private var lastHeard: UInt64 = 0
  private var heardAt: Instant
  /// When a message other than PING last came, or could not be expected.
  private var answeredAt: Instant
  /// A reason the peer gave for the connection as a whole.
  private var refusal: ErrorMessage?

  private var lastNumber: UInt64 = 0
  /// Started on this connection, in order.
  private var active = Roster<any ClientTask>()
  /// Of these, those that have opened their stream, by its id.
  private var streams = Roster<any ClientTask>()
  /// Large files among the active ones.
  private var bulkCount = 0
  /// To be started before anything new.
  private var restarting: [any ClientTask] = []
  /// Detached, waiting for their last job.
  private var detaching: [any ClientTask] = []
  /// Of these, those that only wait until their time has come.
  private var pauses: [(task: any ClientTask, timer: Timer)] = []
  private var filesDone = 0
  private var filesKnown = 0
  private var isSourceEmpty = false
  private var retryTimer: Timer?
  /// Why the last try failed, as a person was told; nil after progress.
  private var lastNotice: ClientError?
  private var givingUp: ClientError?
  private var ticker: Timer?
  private var rates: RateKeeper?
  private var signals: [SignalWatcher] = []
  private var trigger: Trigger?
  package private(set) var isInterrupted = false
  /// Interrupted by `requestCancel`: nobody else says what became of the files.
  private var isCancelled = false
  private var isEnding = false
  private var fence: UInt64

  /// `run` has to be called, once.
  ///
  /// - Parameter retrySeconds: how long to go on trying without any progress; 0 = one attempt.
  package init(
    _ place: ServerPlace, retrySeconds: UInt64, source: any TaskSource, observer: any ClientObserver
  ) throws(UVError) {
    self.place = place
    self.source = source
    self.observer = observer
    loop = try Loop()
    pool = BufferPool(bytes: Self.bufferBytes)
    commits = CommitQueue(loop, roundsMax: 2)
    shortJobs = ShortJobs(loop)
    boot = Boot(id: BootID(bytes: Host.bootID()), startedAt: SystemClock.bootTime())
    let now = SystemClock.wallNow()
    // Rises from run to run by the clock, and within a run by one for each offer.
    fence = UInt64(max(0, now.seconds)) << 20 | UInt64(now.nanoseconds) >> 10
    backoff = Backoff(budgetSeconds: retrySeconds, seed: UInt64(now.nanoseconds) ^ UInt64(Process.id) << 32)
    lastPing = loop.now
    heardAt = loop.now
    answeredAt = loop.now
    do throws(UVError) {
      trigger = try Trigger(loop) { self.cancel() }
    } catch {
      loop.close()
      throw error
    }
  }

  /// SIGINT and SIGTERM stop what moves, keep it, and let `run` return; the second one ends the process.
  /// Before `run`.
  package func obeySignals() throws(UVError) {
    for number in [SignalWatcher.interrupt, SignalWatcher.terminate] {
      signals.append(try SignalWatcher(loop, signal: number) { self.interrupt() })
    }
  }

  /// Any thread, also after `run`: stops what moves, keeps it, and lets `run` return. Files that were begun
  /// and are not whole end with an error.
  package func requestCancel() { trigger?.pull() }

  /// Runs until every task has ended. Blocks the calling thread.
  package func run() throws(UVError) {
    retryTimer = try Timer(loop)
    let ticker = try Timer(loop) { self.tick() }
    ticker.start(after: Self.tickMilliseconds, repeating: Self.tickMilliseconds)
    self.ticker = ticker
    if bytesPerSecond > 0 {
      rates = try RateKeeper(loop)
      rates?.setRate(bytesPerSecond)
    }
    connect()
    while loop.run() {}
    loop.close()
  }

  // MARK: For tasks

  package func send(_ body: (inout [UInt8]) -> Void) { link?.send(body) }

  package func send(_ slice: Slice) {
    if let link { link.send(slice) } else { pool.unpin(slice.buffer) }
  }

  /// The server may let go of what the stream has.
  package func cancel(stream: UInt64) {
    send { FrameHeader(.cancel, length: 0, stream: stream).append(to: &$0) }
  }

  package func flushSoon() { link?.flushSoon() }

  /// The id for the stream that a task opens with its next message. Ids rise in the order in which streams
  /// are opened, so a task must not ask before it has opened its file.
  package func makeStream(for task: any ClientTask) -> UInt64 {
    defer { nextStream += 1 }
    streams.append(task, key: nextStream)
    return nextStream
  }

  /// A number that is higher than any before, for the next offer.
  package func makeFence() -> UInt64 {
    fence += 1
    return fence
  }

  /// The task has ended well.
  package func finish(_ task: any ClientTask) {
    forget(task)
    noteProgress()
    if !task.result.path.isEmpty {
      filesDone += 1
      observer.runDidFinish(task.result)
    }
    goOn()
  }

  /// The task has ended for good, or for this run.
  package func fail(_ task: any ClientTask, _ error: ClientError) {
    forget(task)
    report(task, error)
    goOn()
  }

  private func report(_ task: any ClientTask, _ error: ClientError) {
    var result = task.result
    result.outcome = .failed(error)
    filesDone += 1
    observer.runDidFinish(result)
  }

  /// The task starts again on this connection: its file changed, or a damaged prefix was dropped.
  package func restart(_ task: any ClientTask) {
    forget(task)
    restarting.append(task)
    goOn()
  }

  /// The server cannot serve this task now: all pause, as over a broken link.
  package func retryLater(_ task: any ClientTask, because error: ClientError) {
    guard !isInterrupted, let pause = pause(after: error) else { return fail(task, error) }
    forget(task)
    notice(retrying: error)
    detaching.append(task)
    do throws(UVError) {
      let timer = try Timer(loop)
      pauses.append((task, timer))
      timer.start(after: pause) { self.endPause(of: task) }
    } catch { didDetach(task) }
  }

  private func endPause(of task: any ClientTask) {
    guard let index = pauses.firstIndex(where: { $0.task === task }) else { return }
    pauses.remove(at: index).timer.close()
    didDetach(task)
  }

  private func endPauses() {
    while let pause = pauses.first { endPause(of: pause.task) }
  }

  /// How long to wait before the next try; nil when there is to be none.
  private func pause(after error: ClientError) -> UInt64? {
    guard error.isResumable, error.code != .kicked, let pause = backoff.handleFailure(now: loop.now) else {
      return nil
    }
    return max(pause, UInt64(min(error.retryAfterSeconds, Self.retryAfterSecondsMax)) * 1000)
  }

  /// Says why there will be another try, once for each reason.
  private func notice(retrying error: ClientError) {
    if let last = lastNotice, last.code == error.code, last.path == error.path {
      // Only the numbers in it change from try to try.
      if error.code == .locked || last.text == error.text { return }
    }
    lastNotice = error
    var text: [UInt8] = []
    if !error.path.isEmpty {
      text.append(visible: error.path)
      text.append(": ")
    }
    text.append(contentsOf: error.text)
    text.append("; trying again")
    observer.runDidNotice(text)
  }

  /// Something got through; the next failure is a first one again.
  private func noteProgress() {
    backoff.handleProgress()
    lastNotice = nil
  }

  /// - Parameter isNew: false when the task was as far as this before.
  package func didProgress(_ task: any ClientTask, isNew: Bool = true) {
    if isNew { noteProgress() }
    let isShown = active.first === task || bulkCount > 0 && active.elements.first { $0.isBulk } === task
    guard isShown else { return }
    advance(task)
  }

  package func advance(_ task: any ClientTask) {
    var progress = RunProgress()
    progress.phase = task.isChecking ? .checking : .moving
    progress.path = task.result.path
    progress.done = task.done
    progress.total = task.result.size
    progress.filesDone = filesDone
    progress.filesTotal = filesKnown
    observer.runDidAdvance(progress)
  }

  package func notice(_ text: [UInt8]) { observer.runDidNotice(text) }

  /// Received bytes that tasks have not stored yet; reading stops when there are too many.
  package func addBacklog(_ count: Int) {
    backlog += count
    link?.setReading(backlog < Limits.connectionBacklogMax)
  }

  /// A detached task has no job any more: it can be started again.
  package func didDetach(_ task: any ClientTask) {
    detaching.removeAll { $0 === task }
    restarting.append(task)
    goOn()
  }

  private func forget(_ task: any ClientTask) {
    if dataTarget === task { dataTarget = nil }
    if active.remove(task.number) != nil {
      streams.remove(task.stream)
      if task.isBulk { bulkCount -= 1 }
    }
    detaching.removeAll { $0 === task }
  }

  // MARK: Tasks

  /// Starts what can be started, and ends the run when nothing is left.
  private func goOn() {
    guard !isEnding else { return }
    if isInterrupted {
      if active.isEmpty, detaching.isEmpty { end() }
      return
    }
    while isReady, active.count < streamsMax, let task = nextTask() {
      lastNumber += 1
      task.number = lastNumber
      active.append(task, key: lastNumber)
      if task.isBulk { bulkCount += 1 }
      task.start(self)
    }
    if isSourceEmpty, active.isEmpty, restarting.isEmpty, detaching.isEmpty { return end() }
    link?.flushSoon()
  }

  private func nextTask() -> (any ClientTask)? {
    if let index = restarting.firstIndex(where: { !$0.isBulk || canStartBulk }) {
      return restarting.remove(at: index)
    }
    // Tasks that wait for their turn come before new ones; otherwise a large tree would pile up here.
    guard restarting.isEmpty, canStartBulk || active.isEmpty else { return nil }
    isSourceEmpty = false
    while true {
      do throws(ClientError) {
        guard let task = try source.nextTask() else {
          isSourceEmpty = true
          return nil
        }
        filesKnown += 1
        return task
      } catch {
        var result = FileResult(path: error.path)
        result.outcome = .failed(error)
        observer.runDidFinish(result)
      }
    }
  }

  private var canStartBulk: Bool { bulkCount < Self.bulkMax }

  // MARK: Connecting

  private func connect() {
    var progress = RunProgress()
    progress.filesDone = filesDone
    progress.filesTotal = filesKnown
    observer.runDidAdvance(progress)
    let connector = Connector(loop, place) { self.didConnect($0) }
    self.connector = connector
    connector.start()
  }

  private func didConnect(_ result: Result<Socket, ClientError>) {
    connector = nil
    switch result {
    case .failure(var error):
      // The name was known before: whoever forgot it may remember.
      if hasBeenReady { error.isResumable = true }
      tryAgain(error)
    case .success(let socket):
      do throws(Errno) { try socket.setNoDelay() } catch { /* Only latency would suffer. */ }
      do throws(UVError) {
        let link = try Link(loop, socket, pool: pool, owner: self)
        link.throttle = rates.map { Throttle($0, bytesPerSecond: 0) }
        self.link = link
        heardAt = loop.now
        answeredAt = loop.now
        lastHeard = 0
        nextStream = 1
        var hello = Hello()
        hello.streamsMax = UInt16(streamsWanted)
        hello.agent = [UInt8]("splice ") + [UInt8](programVersion)
        link.send { hello.append(to: &$0, stream: 0) }
        link.flush()
      } catch {
        socket.close()
        let text = [UInt8]("cannot watch the socket")
        tryAgain(ClientError(.cannotConnect, path: [], text: text, isResumable: true))
      }
    }
  }

  /// Pauses and connects again, or gives up when the time is used up.
  private func tryAgain(_ error: ClientError) {
    if isInterrupted { return goOn() }
    guard let pause = pause(after: error) else { return giveUp(error) }
    notice(retrying: error)
    var progress = RunProgress()
    progress.phase = .waiting(milliseconds: pause)
    progress.filesDone = filesDone
    progress.filesTotal = filesKnown
    observer.runDidAdvance(progress)
    retryTimer?.start(after: pause) { self.connectWhenIdle() }
  }

  /// Tasks that are still writing what they got must finish first.
  private func connectWhenIdle() {
    if detaching.isEmpty {
      connect()
    } else {
      retryTimer?.start(after: Self.tickMilliseconds) { self.connectWhenIdle() }
    }
  }

  private func giveUp(_ error: ClientError) {
    givingUp = error
    endPauses()
    giveUpWhenIdle()
  }

  /// Everything that is unfinished fails with the same reason, once it is safely on disk.
  private func giveUpWhenIdle() {
    guard let error = givingUp else { return }
    guard detaching.isEmpty else {
      retryTimer?.start(after: Self.tickMilliseconds) { self.giveUpWhenIdle() }
      return
    }
    isEnding = true
    for task in restarting { report(task, error) }
    restarting = []
    isEnding = false
    // What was never begun is not listed file by file: the reason is the same.
    if filesKnown == 0 || !isSourceEmpty {
      var result = FileResult(path: [])
      result.outcome = .failed(error)
      observer.runDidFinish(result)
    }
    end()
  }

  private func interrupt() {
    if isInterrupted { Process.exit(130) }
    stop()
  }

  private func cancel() {
    guard !isEnding, !isInterrupted else { return }
    isCancelled = true
    stop()
  }

  private func stop() {
    isInterrupted = true
    connector?.cancel()
    connector = nil
    retryTimer?.stop()
    endPauses()
    if let link { link.close() } else { goOn() }
  }

  private func end() {
    guard !isEnding else { return }
    isEnding = true
    if isCancelled {
      let error = ClientError(
        .timeout, path: [], text: [UInt8]("cancelled"), isResumable: true, cause: .cancelled)
      for task in restarting { report(task, error) }
    }
    // Tasks hold the run that started them: one that kept them after its end would never go away.
    restarting = []
    link?.finish()
    connector?.cancel()
    retryTimer?.close()
    for signal in signals { signal.close() }
    signals = []
    trigger?.close()
    rates?.close()
    rates = nil
    if link == nil { closeTicker() }
  }

  private func closeTicker() {
    ticker?.close()
    ticker = nil
  }

  // MARK: From the link

  package func linkDidReceive(_ header: FrameHeader, body: [UInt8]) {
    if header.type != .ping { answeredAt = loop.now }
    do throws(WireError) {
      if header.type == .error {
        let error = try ErrorMessage(body: body)
        guard header.stream == 0 else {
          task(header.stream)?.handle(error)
          return
        }
        // The server sends nothing more.
        refusal = error
        link?.close()
      } else if !isReady {
        guard header.type == .hello else { throw .badValue(type: header.type.rawValue) }
        try handleHello(Hello(body: body))
      } else if header.type != .ping {
        try task(header.stream)?.handle(header, body)
      }
    } catch {
      refusal = ErrorMessage(.malformed, text: [UInt8](error.sentence))
      link?.close()
    }
  }

  private func handleHello(_ hello: Hello) throws(WireError) {
    guard hello.version == Hello.currentVersion, hello.algorithms == [DigestAlgorithm.xxh3.rawValue] else {
      refusal = ErrorMessage(.version)
      link?.close()
      return
    }
    isReady = true
    hasBeenReady = true
    // Three pings in the time after which the server takes us for gone.
    let idle = UInt64(hello.idleSeconds) * 1000
    pingMilliseconds = idle > 0 ? min(idle / 3, Self.pingMillisecondsMax) : Self.pingMillisecondsMax
    streamsMax = min(Int(hello.streamsMax), streamsWanted)
    goOn()
  }

  /// Tasks that have not sent anything yet have stream 0, and expect nothing.
  private func task(_ stream: UInt64) -> (any ClientTask)? { streams[stream] }

  package func linkDidBeginData(_ prefix: DataPrefix) {
    answeredAt = loop.now
    guard let task = task(prefix.stream), task.handleData(prefix) else {
      dataTarget = nil
      return
    }
    dataTarget = task
  }

  package func linkDidReceiveData(_ slice: Slice, isLast: Bool) {
    answeredAt = loop.now
    guard let target = dataTarget else { return pool.unpin(slice.buffer) }
    addBacklog(slice.cost)
    if isLast { dataTarget = nil }
    target.handlePiece(slice, isLast: isLast)
  }

  package func linkWantsOutput() -> Bool {
    for _ in 0..<active.count {
      guard active.takeTurn()?.produce() == true else { continue }
      // One file is finished before the next gets on.
      active.keepTurn()
      return true
    }
    active.restartTurns()
    return false
  }

  /// The reason comes with `linkDidEnd`; a server that sends no protocol would not read an answer.
  package func linkDidFind(_ error: WireError) {}

  package func linkDidEnd(_ end: LinkEnd) {
    link = nil
    isReady = false
    dataTarget = nil
    if isEnding { return closeTicker() }
    let error = reason(for: end)
    let tasks = active.elements
    for task in tasks { forget(task) }
    detaching.append(contentsOf: tasks)
    for task in tasks { task.detach() }
    tryAgain(error)
  }

  private func reason(for end: LinkEnd) -> ClientError {
    if let refusal {
      self.refusal = nil
      var error = ClientError(refusal, path: refusal.path)
      error.isResumable = refusal.code != .version
      if refusal.code == .version {
        error.text = [UInt8]("the server speaks another version of the protocol; ")
        error.text.append("update the older of the two programs")
      }
      return error
    }
    if case .malformed(.badMagic) = end, !hasBeenReady {
      var text: [UInt8] = []
      text.append(place)
      text.append(" is no Splice server; check the host and the port in the address")
      return ClientError(.cannotConnect, path: [], text: text, isResumable: false)
    }
    var text = [UInt8]("the connection broke: ")
    switch end {
    case .closedByPeer, .cutOff: text.append("closed by the server")
    case .failed(let errno): text.append(errno.name)
    case .malformed(let error): text.append(error.sentence)
    case .fileEnded, .closedHere: text.append("no answer from the server")
    }
    return ClientError(.timeout, path: [], text: text, isResumable: true, cause: .disconnected)
  }

  private func tick() {
    guard let link else { return }
    link.tick()
    let now = loop.now
    // Bytes in the middle of a message count when there are many. A length that was damaged on the way makes
    // the rest look like part of a long message, which the answers to our pings would keep alive for hours.
    let heard = link.bytesReceived - lastHeard
    if heard >= Self.heardBytesMin || (heard > 0 && link.isBetweenMessages) {
      lastHeard = link.bytesReceived
      heardAt = now
    }
    let silence = now.milliseconds(since: heardAt)
    if silence > Self.silenceMilliseconds { return link.close() }
    if waitsInVain(link, now) { return link.close() }
    // Also while much is heard: where this side reads slowly, the server has long sent all that its socket takes, and
    // would hear nothing from us.
    if isReady, now.milliseconds(since: lastPing) > pingMilliseconds {
      lastPing = now
      link.send { FrameHeader(.ping, length: 0, stream: 0).append(to: &$0) }
    }
    link.flush()
  }

  /// True when the server answers PING and nothing else. Messages for any task count for all: one file may
  /// have to wait for another.
  private func waitsInVain(_ link: Link, _ now: Instant) -> Bool {
    // While our bytes are still to be taken, or theirs are not read, it is the link's turn.
    if link.outputCount > 0 || backlog >= Limits.connectionBacklogMax { answeredAt = now }
    var patience: UInt64?
    for task in active.elements {
      guard let next = task.patience else { continue }
      let (sum, overflow) = answerMilliseconds.addingReportingOverflow(next.extraMilliseconds)
      patience = max(patience ?? 0, overflow ? .max : sum)
    }
    guard let patience else {
      answeredAt = now
      return false
    }
    return now.milliseconds(since: answeredAt) > patience
  }
}
