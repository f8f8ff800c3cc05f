// One upload in the daemon: from the offer, over the stage, to the receipt.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// Joins the handshake machine (what may come now) with the stage (what is on disk).
///
/// One job at a time is on the pool. While it runs, pieces that arrive wait in `pieces`; the next job
/// takes them together, so the slower the disk, the larger the batches.
///
/// While much is coming a job takes the bytes from the socket itself, see `Intake`. `receiver`, `frameDigest` and
/// `frameOffset` are the job's then: no message of this stream reaches the loop's thread.
final class UploadStream: ServerStream, PoolJob, CommitCandidate, IntakeTaker {
  private enum Job {
    case open
    case probe([UInt64])
    /// Stores `batch` as well: of a short file usually all.
    case resume(PrefixProof)
    /// Stores `batch`.
    case write(checkpoint: Bool)
    /// Stores what comes from the socket, until so many bytes are not on stable storage.
    case drain(Intake, unsyncedMax: UInt64)
    case checkpoint
    case close
  }

  /// Whether this stream reads the socket itself.
  enum TakeOver {
    case never
    /// When its present job is done.
    case soon
    case now
  }

  /// What the last job found, for the loop's thread.
  private enum Outcome {
    case none
    case opened(Have)
    case directoryMade
    case chain([Digest])
    case damaged(blockStart: UInt64)
    case failed(StoreError)
  }

  let id: UInt64
  let path: WirePath
  private let offer: Offer
  private let connection: Connection
  private let jobs: TransferJobs
  let report: TransferReport?
  /// Bytes of the file system that this upload has to leave free.
  private let freeSpaceMin: UInt64
  private var receiver: TransferReceiver
  private var hasLease = false
  private var isWaitingForLease = false
  private var isTransfer = false
  /// RESUME was accepted: what the stage holds is what the peer sends. Until then it may be something else,
  /// and nothing of it is acknowledged.
  private var isAgreed = false
  /// Nothing is taken from the peer any more; files are still to be closed.
  private var isAbandoned = false
  private var hasEnded = false

  // Waiting for the next job, in this order.
  private var pendingControl: Job?
  private var pieces = PieceQueue()
  private var pendingCommit: PrefixProof?
  /// In the commit queue, which has the stage.
  private var committing: PrefixProof?
  /// In the commit queue, which has `finished`: the answer to the offer, once that file is durable.
  private var keeping: Have?
  private var frameDigest: Digest?
  /// Where the next piece of the frame belongs.
  private var frameOffset: UInt64 = 0

  /// Whose receive side the job has.
  private var lender: Link?

  // Owned by the job while one runs.
  private var job = Job.open
  private var batch = PieceBatch()
  private var outcome = Outcome.none
  private var stage: Stage?
  /// A finished file under this name that may be what the client has.
  private var existing: FileStatus?
  private var finished: Source?
  /// The finished file, once the stage has become it.
  private var committed: FileStatus?

  /// Bytes of an earlier try that the peer was told of.
  private var offered: UInt64 = 0
  /// How far the stage was when the connection counted it last.
  private var counted = (received: UInt64(0), verified: UInt64(0), durable: UInt64(0))
  private var acknowledged: UInt64 = 0
  private var acknowledgedAt: Instant
  private var durableAcknowledged: UInt64 = 0
  private var checkpointClock: CheckpointClock

  /// Received bytes and time between two acknowledgements without a checkpoint, for the sender's display.
  private static let acknowledgeBytes: UInt64 = 8 << 20
  private static let acknowledgeMilliseconds: UInt64 = 500
  /// Bytes read by one job while it is found out what is there.
  private static let openBudget: UInt64 = 16 << 20

  init(_ id: UInt64, _ path: WirePath, _ offer: Offer, _ connection: Connection) {
    self.id = id
    self.path = path
    self.offer = offer
    self.connection = connection
    jobs = TransferJobs(connection.worker.loop, connection.worker.shortJobs)
    report = TransferReport.make(connection, id, .uploading, path)
    freeSpaceMin = connection.configuration.freeSpaceMin
    receiver = TransferReceiver(size: offer.size, geometry: BlockGeometry(fileSize: offer.size))
    acknowledgedAt = connection.worker.loop.now
    checkpointClock = CheckpointClock(now: connection.worker.loop.now)
  }

  var upload: UploadStream? { self }
  var activity: SessionActivity { .uploading }
  var progress: (done: UInt64, size: UInt64) { (counted.received, offer.size) }
  var isBusy: Bool { jobs.isInFlight || isWaitingForLease || isQueued }
  private var isQueued: Bool { committing != nil || keeping != nil }
  private var address: StreamAddress { connection.address(of: id) }
  private var now: Instant { connection.worker.loop.now }

  // MARK: From the connection

  func begin() {
    guard offer.size <= UInt64(Int64.max) / 2 else {
      return fail(ErrorMessage(.malformed, path: path.bytes, "no file can be that large"))
    }
    if connection.store.isReadOnly {
      return fail(ErrorMessage(.denied, path: path.bytes, "the server is read-only"))
    }
    if offer.policy == .directory { return submit(.open) }
    acquireLease()
  }

  private func acquireLease() {
    isWaitingForLease = false
    switch connection.store.leases.acquire(
      path, for: address, name: connection.peer, upload: offer.upload, fence: offer.fence, now: now)
    {
    case .granted:
      hasLease = true
      guard connection.beginTransfer(.upload) else { return fail(.tooManyTransfers(path)) }
      isTransfer = true
      submit(.open)
    case .waiting(let holder, let replaced):
      isWaitingForLease = true
      connection.worker.group?.post(.evict(holder), to: holder)
      if let replaced { connection.worker.group?.post(.evict(replaced), to: replaced) }
    case .locked(let holder, let received, let quiet):
      var message = ErrorMessage.locked(path, by: holder)
      message.holderReceived = received
      message.holderQuietMilliseconds = quiet
      message.retryAfterSeconds = 2
      fail(message)
    case .tooSoon: panic("a client with a name takes over at once")
    case .superseded:
      fail(ErrorMessage(.superseded, path: path.bytes, "a newer run of the same upload has taken over"))
    }
  }

  func retryLease() {
    if isWaitingForLease, !isAbandoned { acquireLease() }
  }

  func evict() {
    guard hasLease || isWaitingForLease, !isAbandoned else { return }
    fail(ErrorMessage(.superseded, path: path.bytes, "a newer run of the same upload has taken over"))
  }

  func handleProbe(_ probe: Probe) {
    do throws(SequenceError) { try receiver.handleProbe() } catch { return fail(error) }
    control(.probe(probe.blockCounts))
  }

  func handleResume(_ resume: Resume) {
    do throws(SequenceError) { try receiver.handleResume(from: resume.from) } catch { return fail(error) }
    control(.resume(PrefixProof(bytes: resume.from, digest: resume.proof)))
  }

  func handleRepeat(_ message: Repeat) { fail(SequenceError.unexpected(.repeat)) }

  /// One handshake message at a time; a peer that sends the next one before the answer breaks the order.
  private func control(_ next: Job) {
    guard !isAbandoned else { return }
    guard pendingControl == nil else {
      return fail(ErrorMessage(.malformed, path: path.bytes, "a request came before the last was answered"))
    }
    pendingControl = next
    submitNext()
  }

  /// Returns false when the bytes that follow are not wanted.
  func handleData(_ prefix: DataPrefix) -> Bool {
    guard !isAbandoned else { return false }
    do throws(SequenceError) {
      try receiver.handleData(prefix)
    } catch {
      fail(error)
      return false
    }
    frameDigest = prefix.blockDigest
    frameOffset = prefix.offset
    return true
  }

  func handlePiece(_ slice: Slice, isLast: Bool) {
    guard !isAbandoned else {
      connection.worker.pool.unpin(slice.buffer)
      return connection.addBacklog(-slice.cost)
    }
    pieces.append(slice, at: frameOffset, blockDigest: isLast ? frameDigest : nil)
    frameOffset += UInt64(slice.range.count)
    // Handing over to another thread costs the same for a little as for much.
    let endsBlock = isLast && frameDigest != nil
    if endsBlock || pieces.count >= Limits.batchMin || pendingControl != nil || connection.worker.pool.isScarce {
      submitNext()
    }
  }

  func handleCommit(_ commit: Commit) {
    guard !isAbandoned else { return }
    do throws(SequenceError) { try receiver.handleCommit(commit) } catch { return fail(error) }
    guard receiver.isCommitting else { return }
    pendingCommit = PrefixProof(bytes: commit.size, digest: commit.proof)
    submitNext()
  }

  func tick(_ now: Instant) {
    // What came waits for more, but not for long.
    if !pieces.isEmpty { submitNext() }
    if isAgreed, !jobs.isInFlight, !isAbandoned, committing == nil, let stage, stage.unsynced > 0,
      checkpointClock.isOver(now), pieces.isEmpty, pendingControl == nil, pendingCommit == nil
    {
      submit(.checkpoint)
    }
  }

  /// What was received is stored and checkpointed before the files are closed.
  func abandon() {
    guard !isAbandoned else { return }
    isAbandoned = true
    pendingCommit = nil
    if jobs.isInFlight, case .drain(let intake, _) = job { intake.stop() }
    if isWaitingForLease {
      isWaitingForLease = false
      release()
    }
    submitNext()
  }

  private func fail(_ error: SequenceError) {
    // A link can be that bad; the sender may try again.
    let isDamage = if case .overdue = error { true } else { false }
    fail(ErrorMessage(isDamage ? .digestMismatch : .malformed, path: path.bytes, error.sentence))
  }

  private func fail(_ message: ErrorMessage) {
    guard !isAbandoned else { return }
    connection.fail(id, message)
    abandon()
  }

  // MARK: Jobs

  private func submitNext() {
    guard !jobs.isInFlight, !isQueued, !hasEnded else { return }
    if let control = pendingControl, !isAbandoned {
      if case .resume(let claim) = control {
        if pieces.isEmpty, waitsForBytes(behind: claim.bytes) { return }
        pieces.fill(&batch)
      }
      pendingControl = nil
      submit(control)
    } else if isAgreed, !pieces.isEmpty {
      submitWrite()
    } else if let proof = pendingCommit {
      pendingCommit = nil
      committing = proof
      connection.worker.commits.add(self)
    } else if isAbandoned {
      dropPieces()
      if let stage, !stage.isClosed { submit(.close) } else { end() }
    }
  }

  /// Those of a short file come right behind RESUME: one job is enough for both.
  private func waitsForBytes(behind offset: UInt64) -> Bool {
    offset < offer.size && offer.size <= Limits.shortFileMax
  }

  private func submitWrite() {
    pieces.fill(&batch)
    submit(.write(checkpoint: isCheckpointDue(after: batch.count)))
  }

  private func isCheckpointDue(after count: Int) -> Bool {
    checkpointClock.isDue(unsynced: (stage?.unsynced ?? 0) + UInt64(count), connection.configuration, now: now)
  }

  /// The socket has much, or will have. Whether its bytes come this way from now on.
  func takeOver() -> TakeOver {
    guard isAgreed, !isAbandoned, pendingControl == nil, pendingCommit == nil, committing == nil,
      offer.size - counted.received >= UInt64(Limits.bulkMin)
    else { return .never }
    if !pieces.isEmpty { submitNext() }
    if jobs.isInFlight {
      // A checkpoint can take long, and meanwhile the peer may have questions.
      if case .write(checkpoint: false) = job { return .soon }
      return .never
    }
    guard let link = connection.link, let stage, offer.size - stage.received >= UInt64(Limits.bulkMin),
      let intake = link.lend()
    else { return .never }
    lender = link
    submit(.drain(intake, unsyncedMax: connection.configuration.checkpointBytes))
    return .now
  }

  /// In a job that drains the socket. What is out of order is for the loop's thread, which answers it.
  func takeData(_ prefix: DataPrefix) -> Bool {
    guard prefix.stream == id else { return false }
    var next = receiver
    do throws(SequenceError) { try next.handleData(prefix) } catch { return false }
    receiver = next
    frameDigest = prefix.blockDigest
    frameOffset = prefix.offset
    return true
  }

  /// In a job that drains the socket.
  func take(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Bool {
    guard let stage, case .drain(_, let unsyncedMax) = job else { return false }
    var piece = bytes
    let result: Result<Stage.OnAppend, StoreError> = withUnsafePointer(to: &piece) { piece in
      do throws(StoreError) {
        return .success(
          try stage.append(
            UnsafeBufferPointer(start: piece, count: 1), at: frameOffset, blockDigest: isLast ? frameDigest : nil))
      } catch { return .failure(error) }
    }
    frameOffset += UInt64(bytes.count)
    switch result {
    case .success(.stored): return stage.unsynced < unsyncedMax
    case .success(.damaged(let start)): outcome = .damaged(blockStart: start)
    case .failure(let error): outcome = .failed(error)
    }
    return false
  }

  private func submit(_ next: Job) {
    job = next
    outcome = .none
    jobs.submit(self, inCompany: isShort(next))
  }

  /// Nothing that reads or writes more than a small file, and nothing that syncs.
  private func isShort(_ job: Job) -> Bool {
    guard offer.size <= Limits.shortFileMax else { return false }
    return switch job {
    // See `open`.
    case .open: stage == nil && offer.policy != .directory
    case .resume: stage?.received == 0
    case .write(let checkpoint): !checkpoint
    case .probe, .drain, .checkpoint, .close: false
    }
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
    case .open:
      if offer.policy == .directory {
        try connection.store.makeDirectory(path)
        return .directoryMade
      }
      guard let have = try open() else { return .none }
      return .opened(have)
    case .probe(let blockCounts): return .chain(try stage?.chain(at: blockCounts) ?? [])
    case .resume(let claim):
      guard let stage else { return .none }
      try connection.store.resume(stage, at: claim, leavingFree: freeSpaceMin)
      return try storeBatch(in: stage)
    case .write(let checkpoint):
      guard let stage else { return .none }
      let outcome = try storeBatch(in: stage)
      if case .none = outcome, checkpoint { try stage.checkpoint() }
      return outcome
    case .drain(let intake, _):
      intake.drain(into: self)
      return outcome
    case .checkpoint:
      try stage?.checkpoint()
      return .none
    case .close:
      if let stage, let committed { connection.store.keepDigests(of: stage, committed, path) }
      try stage?.close()
      return .none
    }
  }

  private func storeBatch(in stage: Stage) throws(StoreError) -> Outcome {
    if case .damaged(let start) = try batch.store(in: stage) { return .damaged(blockStart: start) }
    return .none
  }

  /// Finds out what is there of the file: finished under its name, or begun. Goes on at the next call when it
  /// returns nil: a long file is read in steps, so that others get their turn and the end of the peer is heard.
  private func open() throws(StoreError) -> Have? {
    let stage: Stage
    if let begun = self.stage { stage = begun } else { stage = try beginOpening() }
    // What an earlier try left has to be read: that can be much.
    if jobs.isInCompany, !stage.isTakenUp { return nil }
    guard try stage.takeUpMore(budget: Self.openBudget) else { return nil }
    var have = Have(
      state: .nothing, blockSize: stage.geometry.blockSize, bytes: 0, proof: stage.proof.digest,
      freeSpace: connection.store.freeSpace())
    // A finished file of this size may be the very one. A partial goes first, unless even the time says that
    // nothing is left to do.
    if let existing, offer.policy == .ifAbsent || stage.received == 0 || existing.modified == offer.modified {
      if offer.policy != .ifAbsent {
        if finished == nil { finished = try connection.store.openSource(path) }
        guard let finished, try finished.extendBook(toCover: finished.size, budget: Self.openBudget) else {
          return nil
        }
        have.proof = try finished.proof(of: finished.size).digest
        have.bytes = finished.size
        if try finished.hasChanged() { throw StoreError(.changed) }
      } else {
        have.bytes = existing.size
      }
      have.state = .complete
      return have
    }
    if stage.received > 0 {
      have.state = .partial
      have.bytes = stage.received
    }
    return have
  }

  private func beginOpening() throws(StoreError) -> Stage {
    let store = connection.store
    let found = try store.existing(path)
    if found != nil, offer.policy == .create { throw StoreError(.exists) }
    if let found, found.kind == .regular, offer.policy == .ifAbsent || found.size == offer.size {
      existing = found
    }
    // Before hundreds of megabytes come for a folder that cannot take them.
    if offer.size > Limits.blockSize { try store.requireWritable(path) }
    let stage = try store.openStage(
      path, size: offer.size, modified: offer.modified, mode: offer.mode, origin: connection.peer)
    self.stage = stage
    return stage
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    connection.addBacklog(-batch.removeAll(connection.worker.pool))
    let done = job
    didResume()
    switch outcome {
    case .failed(let error):
      if case .close = done { return didClose(error) }
      if !isAbandoned { connection.fail(id, error, path: path) }
      isAbandoned = true
      pendingCommit = nil
      dropPieces()
    case .opened(let have): didOpen(have)
    case .directoryMade:
      connection.link?.send { Committed(size: 0, proof: .zero, version: 0).append(to: &$0, stream: id) }
      isAbandoned = true
    case .chain(let digests):
      if !isAbandoned { connection.link?.send { Chain(digests: digests).append(to: &$0, stream: id) } }
    case .damaged(let start): didFindDamage(start)
    case .none:
      switch done {
      case .close: return didClose(nil)
      case .resume, .write, .checkpoint, .drain: acknowledge()
      case .open: goOnOpening()
      case .probe: break
      }
    }
    var hasMore = false
    if let lender {
      self.lender = nil
      hasMore = connection.takeBack(from: lender)
    }
    submitNext()
    if case .drain = done, !jobs.isInFlight, !isAbandoned, committing == nil, isCheckpointDue(after: 0) {
      submit(.checkpoint)
    }
    connection.goOnReceiving(hasMore: hasMore)
    connection.link?.flushSoon()
  }

  /// What the client has named is what the stage began with.
  private func didResume() {
    guard case .resume(let claim) = job, let stage else { return }
    if case .failed = outcome { return }
    isAgreed = true
    checkpointClock.restart(connection.configuration, now: now)
    counted = (claim.bytes, stage.geometry.blockStart(claim.bytes), stage.durable)
    report?.begin(at: claim.bytes, of: offer.size)
    connection.worker.counters.count(resumedAt: claim.bytes, held: offered)
  }

  private func goOnOpening() {
    guard !isAbandoned else { return }
    if !jobs.isInCompany {
      // The peer waits for HAVE; this says that somebody is at work.
      let read = finished?.book.bytes ?? stage?.received ?? 0
      let ack = Ack(received: min(read, offer.size), verified: 0, durable: 0)
      connection.link?.send { ack.append(to: &$0, stream: id) }
    }
    submit(.open)
  }

  private func didOpen(_ have: Have) {
    guard !isAbandoned else {
      finished = nil
      return
    }
    if have.state == .complete {
      // The client will call it durable, whoever put it there and however that ended.
      keeping = have
      return connection.worker.commits.add(self)
    }
    answer(have)
  }

  private func answer(_ have: Have) {
    finished = nil
    if have.state == .partial { offered = have.bytes }
    receiver.handleOpened(held: have.state == .partial ? have.bytes : stage?.received ?? 0)
    connection.link?.send { have.append(to: &$0, stream: id) }
  }

  private func acknowledge() {
    guard let stage else { return }
    countProgress(stage)
    connection.store.leases.note(path, holder: address, received: stage.received, now: now)
    if stage.unsynced == 0 { checkpointClock.restart(connection.configuration, now: now) }
    guard
      stage.durable > durableAcknowledged || stage.received >= acknowledged + Self.acknowledgeBytes
        || now.milliseconds(since: acknowledgedAt) >= Self.acknowledgeMilliseconds
    else { return }
    sendAcknowledgement()
  }

  private func countProgress(_ stage: Stage) {
    counted.received = stage.received
    report?.advance(to: stage.received)
    if stage.verified > counted.verified { connection.count(verified: stage.verified - counted.verified) }
    counted.verified = stage.verified
    if stage.durable > counted.durable { connection.count(durable: stage.durable - counted.durable) }
    counted.durable = stage.durable
  }

  private func sendAcknowledgement() {
    guard let stage, !isAbandoned else { return }
    acknowledged = stage.received
    acknowledgedAt = now
    durableAcknowledged = stage.durable
    let durable = stage.geometry.blockStart(min(stage.durable, stage.verified))
    let ack = Ack(received: stage.received, verified: stage.verified, durable: durable)
    connection.link?.send { ack.append(to: &$0, stream: id) }
  }

  /// The bytes of a block are not what the sender read: it is asked for again, and what follows goes on.
  private func didFindDamage(_ blockStart: UInt64) {
    guard !isAbandoned else { return }
    connection.log(.warning) { line in
      line.append(quoting: path.bytes)
      line.append(": a block arrived damaged; asking for it again from byte ")
      line.append(decimal: blockStart)
    }
    pendingCommit = nil
    guard receiver.handleDamage(blockStart: blockStart) else {
      return fail(ErrorMessage(.digestMismatch, path: path.bytes, "too many blocks arrive damaged"))
    }
    connection.link?.send { Repeat(offset: blockStart).append(to: &$0, stream: id) }
    acknowledge()
  }

  /// On a thread of the pool, for the queue.
  func planCommit(in folders: inout RoundFolders) throws(StoreError) -> CommitWish {
    let store = connection.store
    if keeping != nil { return .keep(try store.planKeeping(path, finished?.file, in: &folders.ofKeeps)) }
    guard let stage, let committing else { panic("an upload is committed when it is whole") }
    return .commit(
      try store.planCommit(
        stage, to: path, in: &folders.ofCommits, claim: committing, replacing: offer.policy == .replace))
  }

  func commitDidEnd(_ result: Result<FileStatus, StoreError>) {
    if let have = keeping {
      keeping = nil
      return keepingDidEnd(have, result)
    }
    committing = nil
    switch result {
    case .success(let status):
      committed = status
      report?.complete()
      connection.worker.counters.count(completed: .upload)
      if status.size > counted.verified { connection.count(verified: status.size - counted.verified) }
      if status.size > counted.durable { connection.count(durable: status.size - counted.durable) }
      connection.logStored(path, bytes: status.size)
      // Before the receipt: with that the name is free for whoever comes next.
      releaseLease()
      if !isAbandoned, let stage {
        let receipt = Committed(size: status.size, proof: stage.proof.digest, version: status.key.stamp)
        connection.link?.send { receipt.append(to: &$0, stream: id) }
      }
    case .failure(let error):
      if !isAbandoned { connection.fail(id, error, path: path) }
      dropPieces()
    }
    isAbandoned = true
    submitNext()
    connection.link?.flushSoon()
  }

  private func keepingDidEnd(_ have: Have, _ result: Result<FileStatus, StoreError>) {
    switch result {
    case .success: if !isAbandoned { answer(have) }
    case .failure(let error):
      if !isAbandoned { connection.fail(id, error, path: path) }
      isAbandoned = true
    }
    submitNext()
    connection.link?.flushSoon()
  }

  private func didClose(_ error: StoreError?) {
    if let error {
      connection.log(.error) { line in
        line.append(quoting: path.bytes)
        line.append(": the unfinished upload could not be checkpointed: ")
        line.append(contentsOf: error.sentence)
      }
    }
    // Closing an unfinished one made the rest of it durable.
    if error == nil, isAgreed, let stage, !stage.isCommitted { countProgress(stage) }
    stage = nil
    end()
  }

  private func dropPieces() { connection.addBacklog(-pieces.removeAll(connection.worker.pool)) }

  private func end() {
    hasEnded = true
    release()
    connection.didEnd(self)
    connection.link?.flushSoon()
  }

  private func release() {
    if isTransfer { connection.endTransfer() }
    isTransfer = false
    releaseLease()
  }

  private func releaseLease() {
    hasLease = false
    connection.releaseLease(path, by: address)
  }
}
