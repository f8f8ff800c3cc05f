// One upload by a Qt client: staged, journaled and committed like any other.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// What is there is named by its MD5; the client goes on behind it, or begins anew; the file's name is replaced when
/// all of it is on stable storage, and only then the client hears that.
final class QtUpload: QtTransfer, PoolJob, CommitCandidate {
  private enum Phase {
    case waitingForLease
    case opening
    /// The header is answered.
    case offered
    /// The position is being prepared for.
    case preparing
    case receiving
    case committing
    /// Nothing is taken from the peer any more; files are still to be closed.
    case ending
  }

  private enum Job {
    case open
    case prepare
    /// Stores `batch`.
    case write(checkpoint: Bool)
    case checkpoint
    case close
  }

  private enum Outcome {
    case none
    /// More of the same is to be done.
    case goOn
    case opened
    case prepared
    case failed(StoreError)
  }

  let path: WirePath
  private let id: UInt64
  private let session: QtSession
  private let request: PoolRequest
  private let freeSpaceMin: UInt64
  private var phase = Phase.waitingForLease
  /// Whether the lease's holder was told to stop, and will wake this one.
  private var isWaiting = false
  private let waitsSince: Instant
  private var isTransfer = false
  private var isInCommitQueue = false
  private var hasEnded = false
  /// Where the client goes on, and how long the file will be.
  private var start: UInt64 = 0
  private var size: UInt64 = 0
  /// Bytes that have come in.
  private var arrived: UInt64 = 0
  private var pieces = PieceQueue()

  // Owned by the job while one runs.
  private var job = Job.open
  private var outcome = Outcome.none
  private var batch = PieceBatch()
  private var stage: Stage?
  /// Covers what was offered, and then what is stored.
  private var md5 = RunningMD5()
  private var offered: UInt64 = 0
  /// The finished file whose content was offered.
  private var source: Source?
  private var sourceMD5: SourceMD5?
  private var isCopying = false
  private var existing: FileStatus?
  private var committed: FileStatus?
  private var isOpened = false

  private var received: UInt64 = 0
  private var durable: UInt64 = 0
  private var checkpointClock: CheckpointClock

  /// Of a file that was not there before.
  private static let usualMode: UInt32 = 0o644

  init(_ id: UInt64, _ path: WirePath, _ session: QtSession) {
    self.id = id
    self.path = path
    self.session = session
    request = PoolRequest(session.worker.loop)
    freeSpaceMin = session.configuration.freeSpaceMin
    checkpointClock = CheckpointClock(now: session.worker.loop.now)
    waitsSince = session.worker.loop.now
  }

  var activity: SessionActivity { .uploading }
  var progress: (done: UInt64, size: UInt64) { (received, size) }
  private var now: Instant { session.worker.loop.now }
  private var address: StreamAddress { session.address(of: id) }

  var isBusy: Bool {
    switch phase {
    case .waitingForLease, .opening, .preparing, .committing, .ending: true
    case .offered, .receiving: request.isInFlight
    }
  }

  var isAnswering: Bool {
    switch phase {
    case .waitingForLease, .opening, .preparing, .committing, .ending: true
    case .offered, .receiving: false
    }
  }

  var missing: UInt64 {
    if case .receiving = phase { return size - arrived }
    return 0
  }

  // MARK: From the session

  func begin() {
    if session.store.isReadOnly {
      session.note(.denied, path, [UInt8]("the server is read-only"))
      return fail(.openFailed)
    }
    acquireLease()
  }

  /// A client of this protocol has no name but its address.
  private var upload: UploadID {
    var name = [UInt8]("qt ")
    name.append(contentsOf: session.peerAddress?.bytes ?? [])
    var bytes: [UInt8] = []
    BlockHasher.digest(of: name).append(to: &bytes, count: UploadID.byteCount)
    return UploadID(bytes: bytes)
  }

  private func acquireLease() {
    switch session.store.leases.acquire(
      path, for: address, name: session.peer, upload: upload, fence: session.id,
      quietMin: QtLimits.takeoverMilliseconds, now: now)
    {
    case .granted:
      guard session.beginTransfer(.upload) else {
        session.note(.busy, path, ErrorMessage.tooManyTransfers(path).text)
        return fail(.connectFailed)
      }
      isTransfer = true
      phase = .opening
      submit(.open)
    case .waiting(let holder, let replaced):
      isWaiting = true
      session.worker.group?.post(.evict(holder), to: holder)
      if let replaced { session.worker.group?.post(.evict(replaced), to: replaced) }
    case .locked(let holder, _, _): refuse(for: holder)
    case .tooSoon(let holder):
      // A client that lost its link and comes back at once: its old connection is being closed, or is dead. Seen
      // again at the next tick.
      if now.milliseconds(since: waitsSince) > QtLimits.patienceMilliseconds { refuse(for: holder) }
    case .superseded:
      session.note(.superseded, path, [UInt8]("a newer connection of the same client is writing it"))
      fail(.uploadFailed)
    }
  }

  private func refuse(for holder: [UInt8]) {
    session.note(.locked, path, holder + [UInt8](" is writing it"))
    fail(.uploadFailed)
  }

  func retryLease() {
    isWaiting = false
    if case .waitingForLease = phase { acquireLease() }
  }

  func evict() {
    if case .ending = phase { return }
    session.note(.superseded, path, [UInt8]("a newer connection of the same client has taken over"))
    session.finish(.refused(.superseded), .uploadFailed)
  }

  func handle(_ message: QtRequest) -> Bool {
    guard message.kind == .uploadPosition, case .offered = phase else { return false }
    let position = message.position ?? 0
    let count = message.size ?? -1
    guard position >= 0, position == 0 || UInt64(position) == offered else {
      session.note(.seekFailed, path, [UInt8]("the client goes on where nothing was offered"))
      refuse(.seekFailed)
      return true
    }
    // Each fits 32 bits, so the sum fits 64.
    guard count >= 0, count <= Int64(QtLimits.sizeMax), position + count <= Int64(QtLimits.sizeMax) else {
      session.note(.uploadFailed, path, [UInt8]("the client cannot send so large a file: it counts in 31 bits"))
      refuse(.uploadFailed)
      return true
    }
    start = UInt64(position)
    size = start + UInt64(count)
    arrived = start
    phase = .preparing
    submit(.prepare)
    return true
  }

  /// Says no to a position, and lets go of the file.
  private func refuse(_ status: QtStatus) {
    session.reply(.status(.uploadPosition, status))
    abandon()
  }

  func handlePiece(_ slice: Slice) {
    guard case .receiving = phase, let stage else { return session.worker.pool.unpin(slice.buffer) }
    session.addBacklog(slice.cost)
    var rest = slice.range
    let geometry = stage.geometry
    while !rest.isEmpty {
      let end = geometry.blockEnd(arrived, fileSize: size)
      let count = Int(min(UInt64(rest.count), end - arrived))
      let part = rest.lowerBound..<rest.lowerBound + count
      rest = part.upperBound..<rest.upperBound
      if !rest.isEmpty {
        // The piece is cut at the end of a block: one more slice, with its own pin and cost.
        session.worker.pool.pin(slice.buffer)
        session.addBacklog(Limits.pieceCost)
      }
      let offset = arrived
      arrived += UInt64(count)
      pieces.append(Slice(buffer: slice.buffer, range: part), at: offset, endsBlock: arrived == end)
    }
    if arrived == size { phase = .committing }
    if arrived == size || pieces.count >= Limits.batchMin || session.worker.pool.isScarce { submitNext() }
  }

  func refusal(_ status: QtStatus) -> QtReply? {
    switch phase {
    case .waitingForLease, .opening: .uploadHeader(status, position: 0, digest: nil)
    case .preparing: .status(.uploadPosition, status)
    case .receiving, .committing: .status(.uploadTail, status)
    case .offered, .ending: nil
    }
  }

  func tick(_ now: Instant) {
    if case .waitingForLease = phase, !isWaiting { return acquireLease() }
    guard case .receiving = phase else { return }
    // What came waits for more, but not for long.
    if !pieces.isEmpty { return submitNext() }
    if !request.isInFlight, received > durable, checkpointClock.isOver(now) { submit(.checkpoint) }
  }

  /// What was received is stored and checkpointed before the files are closed.
  func abandon() {
    // The commit queue has the stage; the file may well become whole.
    guard !isInCommitQueue else { return }
    if case .ending = phase { return }
    phase = .ending
    submitNext()
  }

  private func fail(_ status: QtStatus) {
    session.reply(refusal(status))
    abandon()
  }

  private func fail(_ error: StoreError) {
    session.note(error.code, path, error.sentence)
    let status = QtStatus(error.code, otherwise: .uploadFailed)
    switch phase {
    case .receiving, .committing:
      // Bytes of the file are on their way, and nothing says where they end: the connection ends with this.
      session.finish(.refused(error.code), status)
    case .waitingForLease, .opening, .offered, .preparing, .ending: fail(status)
    }
  }

  // MARK: Jobs

  private func submitNext() {
    guard !request.isInFlight, !isInCommitQueue, !hasEnded else { return }
    if !pieces.isEmpty, stage != nil {
      pieces.fill(&batch)
      let unsynced = received + UInt64(batch.count) - min(durable, received)
      let isDue = checkpointClock.isDue(unsynced: unsynced, session.configuration, now: now)
      return submit(.write(checkpoint: isDue))
    }
    switch phase {
    case .committing:
      isInCommitQueue = true
      session.worker.commits.add(self)
    case .ending:
      session.addBacklog(-pieces.removeAll(session.worker.pool))
      if let stage, !stage.isClosed { submit(.close) } else { end() }
    case .waitingForLease, .opening, .offered, .preparing, .receiving: break
    }
  }

  private func submit(_ next: Job) {
    job = next
    outcome = .none
    request.submit(self)
  }

  /// On a thread of the pool.
  func run() {
    do throws(StoreError) {
      outcome = try perform()
    } catch {
      outcome = .failed(error)
    }
  }

  private func perform() throws(StoreError) -> Outcome {
    switch job {
    case .open: return try open() ? .opened : .goOn
    case .prepare: return try prepare() ? .prepared : .goOn
    case .write(let checkpoint):
      guard let stage else { return .none }
      try batch.store(in: stage, md5)
      if checkpoint { try stage.checkpoint() }
    case .checkpoint: try stage?.checkpoint()
    case .close:
      if let stage, let committed { session.store.keepDigests(of: stage, committed, path) }
      try stage?.close()
    }
    return .none
  }

  /// Finds out what is there of the file, begun or finished, and its MD5. Returns false to be called again: a long
  /// file is read in steps.
  private func open() throws(StoreError) -> Bool {
    let stage: Stage
    if let begun = self.stage {
      stage = begun
    } else {
      existing = try session.store.existing(path)
      stage = try session.store.openStage(path)
      self.stage = stage
    }
    guard try stage.takeUpMore(budget: QtLimits.jobBudget) else { return false }
    if !isOpened {
      isOpened = true
      if stage.received > 0 {
        // A client that has as much as is offered says 'already there' and goes on; then a file that is all here but
        // for its name would never get it.
        offered = stage.received == stage.header.size ? stage.received - 1 : stage.received
        md5 = try stage.recordedMD5(notAbove: offered)
      } else if let existing, existing.kind == .regular, existing.size > 0 {
        let source = try session.store.openSource(path)
        self.source = source
        sourceMD5 = session.store.md5(of: source, path)
        offered = source.size
      }
      guard offered <= QtLimits.sizeMax else { throw StoreError(.uploadFailed, .fileTooLarge) }
    }
    guard let source, let sourceMD5 else {
      return try stage.extend(md5, to: offered, budget: QtLimits.jobBudget)
    }
    guard try sourceMD5.advance(to: offered, budget: QtLimits.jobBudget) else { return false }
    if try source.hasChanged() { throw StoreError(.changed) }
    md5 = sourceMD5.md5
    // The client may say 'already there' now.
    try session.store.makeDurable(path)
    return true
  }

  /// Cuts the stage to what the client goes on behind and makes room for the rest. Returns false to be called again.
  private func prepare() throws(StoreError) -> Bool {
    guard let stage else { throw StoreError(.openFailed) }
    if isCopying { return try copy(to: stage) }
    let isCopy = start > 0 && source != nil
    if start == 0 { md5 = RunningMD5() }
    let before = stage.header
    // A partial that another try began keeps the time that its file had there.
    let isKnown = start > 0 && !isCopy && before.size == size
    let declared = session.store.declaration(
      path, size: size, modified: isKnown ? before.modified : SystemClock.wallNow(),
      mode: isKnown ? before.mode : existing.map { $0.mode } ?? Self.usualMode,
      origin: before.origin.isEmpty ? session.peer : before.origin)
    guard stage.redeclare(declared) else {
      throw StoreError(.uploadFailed, .fileTooLarge)
    }
    // Both have just named these bytes by their MD5: the client by going on behind them.
    let agreed = try stage.rewind(to: isCopy ? 0 : start)
    try session.store.resume(stage, at: agreed, leavingFree: freeSpaceMin)
    guard isCopy else { return true }
    isCopying = true
    return try copy(to: stage)
  }

  /// The old file stays what it is until the new one is whole.
  private func copy(to stage: Stage) throws(StoreError) -> Bool {
    guard let source, let sourceMD5 else { throw StoreError(.openFailed) }
    guard try source.extendBook(toCover: source.size, budget: QtLimits.jobBudget) else { return false }
    return try stage.adopt(source, sourceMD5, bytes: start, budget: QtLimits.jobBudget)
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    session.addBacklog(-batch.removeAll(session.worker.pool))
    countProgress()
    switch (outcome, job) {
    case (.failed(let error), .close):
      session.note(error.code, path, error.sentence)
      stage = nil
      return end()
    case (_, .close):
      stage = nil
      return end()
    case (.failed(let error), _):
      session.addBacklog(-pieces.removeAll(session.worker.pool))
      if case .ending = phase {} else { fail(error) }
    case (.goOn, _):
      if case .ending = phase {} else { submit(job) }
    case (.opened, _): didOpen()
    case (.prepared, _): didPrepare()
    case (.none, _): break
    }
    submitNext()
    session.link?.flush()
  }

  private func didOpen() {
    guard case .opening = phase else { return }
    phase = .offered
    session.reply(.uploadHeader(.ok, position: Int64(offered), digest: offered > 0 ? md5.digest : nil))
    session.didAnswer()
  }

  private func didPrepare() {
    guard case .preparing = phase, let stage else { return }
    source = nil
    sourceMD5 = nil
    received = stage.received
    durable = stage.durable
    checkpointClock.restart(session.configuration, now: now)
    session.worker.counters.count(resumedAt: start, held: offered)
    session.reply(.status(.uploadPosition, .ok))
    phase = arrived == size ? .committing : .receiving
    session.didAnswer()
  }

  private func countProgress() {
    guard let stage else { return }
    switch phase {
    case .receiving, .committing, .ending: break
    case .waitingForLease, .opening, .offered, .preparing: return
    }
    if stage.received > received {
      session.store.leases.note(path, holder: address, received: stage.received, now: now)
    }
    received = stage.received
    if stage.durable > durable { session.count(durable: stage.durable - durable) }
    durable = stage.durable
    if durable == received { checkpointClock.restart(session.configuration, now: now) }
  }

  /// On a thread of the pool, for the queue. This protocol has no digest of the whole file; what is here is what came.
  func planCommit(in folders: inout RoundFolders) throws(StoreError) -> CommitWish {
    guard let stage else { panic("an upload is committed when it is whole") }
    return .commit(
      try session.store.planCommit(stage, to: path, in: &folders.ofCommits, claim: stage.proof, replacing: true))
  }

  func commitDidEnd(_ result: Result<FileStatus, StoreError>) {
    isInCommitQueue = false
    switch result {
    case .success(let status):
      committed = status
      session.worker.counters.count(completed: .upload)
      if status.size > durable { session.count(durable: status.size - durable) }
      durable = status.size
      session.logStored(path, bytes: status.size)
      // Before the receipt: with that the name is free for whoever comes next.
      session.releaseLease(path, by: address)
      session.reply(.status(.uploadTail, .ok))
    case .failure(let error): fail(error)
    }
    phase = .ending
    submitNext()
    session.link?.flush()
  }

  private func end() {
    guard !hasEnded else { return }
    hasEnded = true
    if isTransfer { session.endTransfer() }
    isTransfer = false
    // One that waited for the lease gives up its place.
    session.releaseLease(path, by: address)
    session.transferDidEnd(self)
  }
}
