// One file on its way down: from the request, over the proof, to the finished file under its name.

internal import SpliceBase
internal import SpliceCore
package import SpliceEngine
package import SpliceSystem
internal import SpliceUV
package import SpliceWire

/// Joins the negotiation (where to go on) with the stage (what is on disk).
///
/// The unfinished file is `NAME.splice-part`, its journal `NAME.splice-journal`, beside the target.
package final class DownloadTask: ClientTask, PoolJob, CommitCandidate {
  package struct Item {
    package var remotePath: [UInt8]
    /// Where the file goes: a folder, made if missing, and a name in it.
    package var folder: [UInt8]
    package var name: [UInt8]
    /// As a listing said; nil when nobody did.
    package var size: UInt64?

    package init(remotePath: [UInt8], folder: [UInt8], name: [UInt8], size: UInt64?) {
      self.remotePath = remotePath
      self.folder = folder
      self.name = name
      self.size = size
    }
  }

  private enum Job {
    case open
    /// Digest the finished local file.
    case proveExisting
    case chain([UInt64])
    /// Cut the stage to `bytes` and get ready to write; send RESUME afterwards, or data is on its way. Stores `batch` as
    /// well: of a short file usually all.
    case begin(bytes: UInt64, sendsResume: Bool)
    case write(checkpoint: Bool)
    case close
  }

  private enum Outcome {
    case none
    case opened(DownloadNegotiation.Local)
    case proved(PrefixProof)
    case chain([Digest])
    case begun(PrefixProof)
    case damaged(blockStart: UInt64)
    case failed(StoreError)
  }

  private enum State {
    case opening
    case wanted
    /// Our own job decides what comes next.
    case negotiating
    /// PROBE was sent: CHAIN answers.
    case probing
    /// The finished local file is offered as a proof; END or a mismatch answers.
    case comparing(PrefixProof)
    case receiving
    case ended
  }

  package let item: Item
  private let cache: DigestCache
  package var number: UInt64 = 0
  package private(set) var stream: UInt64 = 0
  package private(set) var result: FileResult
  package private(set) var done: UInt64 = 0
  package private(set) var isChecking = false
  private var owner: ClientRun?
  private var jobs: TransferJobs?
  private var state = State.opening
  private var negotiation = DownloadNegotiation(.nothing)
  private var give: Give?
  private var theirs: [Digest] = []
  private var receiver = TransferReceiver(size: 0, geometry: BlockGeometry(fileSize: 0))
  /// Not submitted yet: the bytes of a short file come right behind GIVE, and one job is enough for both.
  private var pendingBegin: Job?
  private var waitsForBytes = false
  private var pieces = PieceQueue()
  private var frameDigest: Digest?
  /// Where the next piece of the frame belongs.
  private var frameOffset: UInt64 = 0
  /// What END said the file is.
  private var announced: PrefixProof?
  private var pendingCommit: PrefixProof?
  /// In the commit queue, which has the stage.
  private var committing: PrefixProof?
  /// In the commit queue, which has `existing`: it is the very file.
  private var isKeeping = false
  private var isDetached = false
  /// The user will be told why.
  private var hasFailed = false
  private var isClosing = false
  private var afterClose: ((ClientRun) -> Void)?
  private var startedAt: Instant?
  private var checkpointDue: Instant?
  private var persistence = Persistence()
  /// The finished local file is known to differ.
  private var ignoresExisting = false

  private static let proveBudget: UInt64 = 32 << 20
  private static let checkpointBytes: UInt64 = 64 << 20
  private static let checkpointMilliseconds: UInt64 = 5000
  private static let partSuffix: StaticString = ".splice-part"
  private static let journalSuffix: StaticString = ".splice-journal"
  private static let newJournalSuffix: StaticString = ".splice-journal.new"

  // Owned by the job while one runs.
  private var job = Job.open
  private var outcome = Outcome.none
  private var batch = PieceBatch()
  private var directory: (any Directory)?
  private var stage: Stage?
  private var existing: Source?
  /// Under the name of the unfinished file is something that must not be written.
  private var stageIsForeign = false
  /// The finished file, once the stage has become it.
  private var committed: FileStatus?

  package init(_ item: Item, cache: DigestCache) {
    self.item = item
    self.cache = cache
    result = FileResult(path: item.remotePath)
    result.size = item.size ?? 0
    result.localPath = localPath
  }

  package var isBulk: Bool { (item.size ?? .max) > 4 * Limits.blockSize }

  /// Names that this client gives to its own files, beside the targets.
  static func keepsForItself(_ name: [UInt8]) -> Bool {
    name.ends(with: partSuffix) || name.ends(with: journalSuffix) || name.ends(with: newJournalSuffix)
  }

  package var patience: Patience? {
    switch state {
    // The server may have to read what it is asked to prove.
    case .wanted, .probing, .comparing: .forReading(max(result.size, done))
    case .receiving: isIdle ? .forReading(result.size) : nil
    case .opening, .negotiating, .ended: nil
    }
  }

  /// Everything that came is dealt with.
  private var isIdle: Bool {
    jobs?.isInFlight == false && pieces.isEmpty && pendingCommit == nil && committing == nil && !isKeeping
  }

  // MARK: From the run

  package func start(_ run: ClientRun) {
    owner = run
    stream = 0
    if jobs == nil { jobs = TransferJobs(run.loop, run.shortJobs) }
    if startedAt == nil { startedAt = run.loop.now }
    result.attempts += 1
    isDetached = false
    hasFailed = false
    isClosing = false
    announced = nil
    pendingBegin = nil
    pendingCommit = nil
    give = nil
    state = .opening
    done = 0
    submit(.open)
  }

  package func detach() {
    isDetached = true
    // There may be no other try.
    noteTime()
    afterClose = nil
    close { [self] in $0.didDetach(self) }
  }

  package func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    // Sent before the peer heard that this attempt is over.
    if case .ended = state { return }
    switch header.type {
    case .give:
      let give = try Give(body: body)
      guard case .wanted = state else { return misplaced() }
      state = .negotiating
      self.give = give
      result.size = give.size
      var next = negotiation
      perform(Result { () throws(SequenceError) in try next.handleGive(give) }, next)
    case .chain:
      let chain = try Chain(body: body)
      guard case .probing = state else { return misplaced() }
      // Before the job: another one may not come while it runs.
      state = .negotiating
      theirs = chain.digests
      submit(.chain(negotiation.probes))
    case .end: handle(try End(body: body))
    case .ack:
      // The server reads a long file, and shows that it is still there.
      _ = try Ack(body: body)
    default: misplaced()
    }
  }

  private func handle(_ end: End) {
    let proof = PrefixProof(bytes: end.size, digest: end.proof)
    switch state {
    case .comparing(let ours):
      guard AgreedPrefix(ours: ours, theirs: proof) != nil else { return misplaced() }
      result.digest = end.proof
      done = end.size
      // It will be called durable, whoever put it there.
      state = .ended
      isKeeping = true
      owner?.commits.add(self)
    case .receiving:
      guard announced == nil else { return misplaced() }
      announced = proof
      commitIfWhole()
      // Sent before our REPEAT was heard, which nobody hears any more.
      if !receiver.isCommitting, !serverLingers, !isClosing { return restart(damage) }
      submitNext()
    case .opening, .wanted, .negotiating, .probing, .ended: misplaced()
    }
  }

  /// Behind END the server keeps the file open until it hears CANCEL: if it has sent bytes of more than one block.
  private var serverLingers: Bool { give.map { $0.size > max($0.blockSize, result.resumedFrom) } ?? false }

  /// Goes on to the commit when END has come, and with it or later all blocks.
  private func commitIfWhole() {
    guard case .receiving = state, let announced, !receiver.isCommitting else { return }
    do throws(SequenceError) {
      try receiver.handleCommit(Commit(size: announced.bytes, proof: announced.digest))
    } catch { return misplaced() }
    if receiver.isCommitting { pendingCommit = announced }
  }

  package func handle(_ error: ErrorMessage) {
    if case .ended = state { return }
    let failure = ClientError(error, path: item.remotePath)
    switch (error.code, state) {
    case (.digestMismatch, .comparing):
      ignoresExisting = true
      restart(failure)
    case (.changed, _): restart(failure)
    case (.locked, _), (.busy, _), (.shuttingDown, _), (.timeout, _):
      stop()
      close { [self] in $0.retryLater(self, because: failure) }
    default: end(failure)
    }
  }

  private func misplaced() {
    end(
      ClientError(
        .malformed, path: item.remotePath,
        text: [UInt8]("the server sent a message that does not belong here"), isResumable: true))
  }

  private func perform(
    _ next: Result<DownloadNegotiation.Action, SequenceError>, _ changed: DownloadNegotiation
  ) {
    negotiation = changed
    guard case .success(let action) = next else { return misplaced() }
    switch action {
    case .receive(let from, let forked): begin(at: from, forked: forked, sendsResume: false)
    case .resume(let bytes, let forked): begin(at: bytes, forked: forked, sendsResume: true)
    case .proveExisting:
      isChecking = true
      submit(.proveExisting)
    case .probe(let blockCounts):
      state = .probing
      owner?.send { Probe(blockCounts: blockCounts).append(to: &$0, stream: stream) }
    }
  }

  private func begin(at bytes: UInt64, forked: Bool, sendsResume: Bool) {
    guard let give else { return }
    result.resumedFrom = bytes
    if forked { result.salvagedTo = bytes }
    done = bytes
    persistence.handleResume(at: bytes)
    receiver = TransferReceiver(size: give.size, geometry: BlockGeometry(fileSize: give.size))
    receiver.handleOpened(held: bytes)
    do throws(SequenceError) { try receiver.handleResume(from: bytes) } catch { return misplaced() }
    state = .receiving
    pendingBegin = .begin(bytes: bytes, sendsResume: sendsResume)
    waitsForBytes = !sendsResume && bytes == 0 && give.size > 0 && give.size <= Limits.shortFileMax
    submitNext()
  }

  // MARK: Receiving

  package func handleData(_ prefix: DataPrefix) -> Bool {
    guard case .receiving = state, !isClosing else { return false }
    do throws(SequenceError) {
      try receiver.handleData(prefix)
    } catch {
      if case .overdue = error { restart(damage) } else { misplaced() }
      return false
    }
    frameDigest = prefix.blockDigest
    frameOffset = prefix.offset
    return true
  }

  package func handlePiece(_ slice: Slice, isLast: Bool) {
    result.sent += UInt64(slice.range.count)
    guard case .receiving = state, !isClosing else {
      owner?.pool.unpin(slice.buffer)
      owner?.addBacklog(-slice.cost)
      return
    }
    pieces.append(slice, at: frameOffset, blockDigest: isLast ? frameDigest : nil)
    frameOffset += UInt64(slice.range.count)
    submitNext()
  }

  // MARK: Jobs

  private func submitNext() {
    guard let jobs, let owner, !jobs.isInFlight, committing == nil, !isKeeping else { return }
    if let begin = pendingBegin, !isClosing {
      if waitsForBytes, pieces.isEmpty { return }
      pieces.fill(&batch)
      pendingBegin = nil
      submit(begin)
    } else if !pieces.isEmpty, case .receiving = state, let stage {
      pieces.fill(&batch)
      let unsynced = stage.unsynced + UInt64(batch.count)
      let now = owner.loop.now
      let isDue = unsynced >= Self.checkpointBytes || (checkpointDue ?? now) <= now
      submit(.write(checkpoint: isDue))
    } else if isClosing {
      dropPieces()
      if let stage, stage.isClosed { didClose() } else { submit(.close) }
    } else if let proof = pendingCommit {
      pendingCommit = nil
      committing = proof
      // All blocks are here and right.
      if serverLingers { owner.cancel(stream: stream) }
      owner.commits.add(self)
    }
  }

  private func submit(_ next: Job) {
    job = next
    outcome = .none
    jobs?.submit(self, inCompany: isShort(next))
  }

  /// Nothing that reads or writes more than a small file, and nothing that syncs.
  private func isShort(_ job: Job) -> Bool {
    guard let give, give.size <= Limits.shortFileMax else { return false }
    return switch job {
    case .begin(let bytes, _): bytes == 0 && stage?.received == 0
    case .proveExisting: existing?.size == give.size
    case .open, .chain, .write, .close: false
    }
  }

  /// On a thread of the pool.
  package func run() {
    do throws(StoreError) {
      outcome = try work()
    } catch {
      outcome = .failed(error)
    }
  }

  private func work() throws(StoreError) -> Outcome {
    switch job {
    case .open: return .opened(try openTarget())
    case .proveExisting:
      guard let existing, try existing.extendBook(toCover: existing.size, budget: Self.proveBudget) else {
        return .none
      }
      return .proved(try existing.proof(of: existing.size))
    case .chain(let blockCounts): return .chain(try stage?.chain(at: blockCounts) ?? [])
    case .begin(let bytes, _):
      let proof = try begin(at: bytes)
      if let start = try storeBatch() { return .damaged(blockStart: start) }
      return .begun(proof)
    case .write(let checkpoint):
      if let start = try storeBatch() { return .damaged(blockStart: start) }
      if checkpoint { try stage?.checkpoint() }
      return .none
    case .close:
      if let stage, let committed { keepDigests(of: stage, committed) }
      try stage?.close()
      return .none
    }
  }

  /// Returns where the block begins that arrived damaged.
  private func storeBatch() throws(StoreError) -> UInt64? {
    guard let stage, case .damaged(let start) = try batch.store(in: stage) else { return nil }
    return start
  }

  /// Finds out what is there of the file: begun, or finished under its name.
  private func openTarget() throws(StoreError) -> DownloadNegotiation.Local {
    let directory: any Directory
    do throws(Errno) {
      let isAbsolute = item.folder.first == UInt8(ascii: "/")
      let base = try PosixDirectory.open([UInt8](isAbsolute ? "/" : "."), confined: false)
      let path = Array(item.folder.drop { $0 == UInt8(ascii: "/") })
      directory = try path.isEmpty ? base : base.makePath(path, permissions: 0o755)
      try cache.durableFolders.makeDurable(path, below: base)
      self.directory = directory
    } catch {
      throw StoreError(error, otherwise: .openFailed)
    }
    let stage = try openStage(in: directory, declared: nil)
    self.stage = stage
    if stage.received > 0 { return .partial(stage.proof, stage.geometry) }
    if ignoresExisting { return .nothing }
    do throws(Errno) {
      let file = try directory.openFile(item.name, .read, permissions: 0)
      let status = try file.status()
      if status.kind == .directory { throw .isDirectory }
      guard status.kind == .regular else { return .nothing }
      existing = Source(file, status, cache.book(status.key, path: item.folder + [UInt8]("/") + item.name))
      return .complete(size: status.size)
    } catch {
      if error == .noEntry { return .nothing }
      throw StoreError(error, otherwise: .openFailed)
    }
  }

  private func openStage(
    in directory: any Directory, declared: JournalHeader?
  ) throws(StoreError) -> Stage {
    do throws(StoreError) {
      let stage = try Stage.open(
        Stage.Location(
          directory: directory, dataName: companion(Self.partSuffix),
          journalName: companion(Self.journalSuffix)),
        declared: declared, path: item.remotePath, boot: owner?.boot ?? .unknown)
      _ = try stage.takeUpMore(budget: .max)
      return stage
    } catch {
      switch error.cause {
      case .loop, .tooManyLinks, .notSupported, .isDirectory: stageIsForeign = true
      default: break
      }
      throw error
    }
  }

  /// The target's name with a suffix. Where that would be too long for a file system, the end of the name
  /// gives way to a digest of it.
  private func companion(_ suffix: StaticString) -> [UInt8] {
    // Room for the name under which a journal is rewritten, too.
    let room = Limits.nameMax - suffix.utf8CodeUnitCount - 4
    guard item.name.count > room else { return item.name + [UInt8](suffix) }
    var digest: [UInt8] = []
    BlockHasher.digest(of: item.name).append(to: &digest, count: 8)
    var name = Array(item.name.prefix(room - 17))
    name.append("~")
    name.append(hexOf: digest)
    name.append(suffix)
    return name
  }

  private func begin(at bytes: UInt64) throws(StoreError) -> PrefixProof {
    guard let give, let directory else { throw StoreError(.openFailed) }
    let declared = JournalHeader(
      blockSize: give.blockSize, size: give.size, modified: give.modified, mode: give.mode & 0o777,
      path: item.remotePath)
    if stage?.redeclare(declared) != true {
      try stage?.discard()
      stage = try openStage(in: directory, declared: declared)
    }
    guard let stage else { throw StoreError(.openFailed) }
    let proof = try stage.rewind(to: bytes)
    try stage.resume(at: proof)
    return proof
  }

  /// For the next run that finds the finished file; this one's success does not depend on it.
  private func keepDigests(of stage: Stage, _ status: FileStatus) {
    let book = cache.book(status.key, path: item.folder + [UInt8]("/") + item.name)
    do throws(Errno) {
      try stage.complete(book)
    } catch {
      // The file is safe and named; a cache is not worth failing for.
    }
  }

  // MARK: Committing

  /// On a thread of the pool, for the queue.
  package func planCommit(in folders: inout RoundFolders) throws(StoreError) -> CommitWish {
    guard let directory else { panic("a download has a folder to go to") }
    if isKeeping, let existing { return .keep(KeepPlan(file: existing.file, directory: directory)) }
    guard let stage, let committing else { panic("a download is committed when it is whole") }
    return .commit(
      CommitPlan(stage: stage, claim: committing, directory: directory, name: item.name, isReplacing: true))
  }

  package func commitDidEnd(_ outcome: Result<FileStatus, StoreError>) {
    committing = nil
    let isKept = isKeeping
    isKeeping = false
    switch outcome {
    case .success(let status):
      result.isDurable = true
      // Also when the link broke meanwhile: the file is there.
      if isKept { succeed(.alreadyThere) } else {
        committed = status
        result.digest = stage?.proof.digest ?? .zero
        succeed(.done)
      }
    case .failure(let error):
      if !isClosing { fail(error) }
    }
    submitNext()
    owner?.flushSoon()
  }

  private func fail(_ error: StoreError) {
    // Somebody else wrote to what there is, or put another file there, or its journal is damaged: the next opening sees it.
    if error.code == .changed, !stageIsForeign { restart(failure(error)) } else { end(failure(error)) }
  }

  private func failure(_ error: StoreError) -> ClientError {
    if stageIsForeign {
      let text = [UInt8]("its .splice-part or .splice-journal is a link or no plain file; remove that first")
      return ClientError(.openFailed, path: localPath, text: text, isResumable: false)
    }
    if error.code == .locked {
      let text = [UInt8]("another run of splice is fetching it")
      return ClientError(.locked, path: localPath, text: text, isResumable: true)
    }
    return ClientError(
      error.code, path: localPath, text: error.sentence, isResumable: error.code == .noSpace,
      cause: error.cause.map { .system($0) } ?? .unspecified)
  }

  /// On the loop's thread again.
  package func finish(cancelled: Bool) {
    guard let owner else { return }
    owner.addBacklog(-batch.removeAll(owner.pool))
    let finished = job
    if case .close = finished {
      if case .failed(let error) = outcome, !hasFailed {
        owner.notice(localPath + [UInt8](": what has come is not kept safely: ") + error.sentence)
      }
      return didClose()
    }
    if case .failed(let error) = outcome, !isClosing {
      fail(error)
    } else if !isClosing {
      handleOutcome(finished)
    } else if case .failed = outcome {
      // What comes behind bytes that were not stored, or for a stage that was not prepared, has no place.
      dropPieces()
    }
    submitNext()
    owner.flushSoon()
  }

  private func handleOutcome(_ finished: Job) {
    if case .begin = finished { scheduleCheckpoint() }
    switch outcome {
    case .opened(let local):
      negotiation = DownloadNegotiation(local)
      if case .partial(let proof, _) = local { done = proof.bytes }
      stream = owner?.makeStream(for: self) ?? 0
      let (want, flags) = negotiation.want(path: item.remotePath)
      owner?.send { want.append(to: &$0, stream: stream, flags: flags) }
      state = .wanted
    case .proved(let proof):
      isChecking = false
      var next = negotiation
      let action = Result { () throws(SequenceError) in try next.handleExistingProof(proof) }
      negotiation = next
      guard case .success = action else { return misplaced() }
      state = .comparing(proof)
      owner?.send { Resume(from: proof.bytes, proof: proof.digest).append(to: &$0, stream: stream) }
    case .chain(let ours):
      var next = negotiation
      perform(Result { () throws(SequenceError) in try next.handleChain(theirs, ours: ours) }, next)
    case .begun(let proof):
      if case .begin(_, let sendsResume) = finished, sendsResume {
        owner?.send { Resume(from: proof.bytes, proof: proof.digest).append(to: &$0, stream: stream) }
      }
      if let stage { didStore(stage) }
    case .damaged(let start): didFindDamage(start)
    case .none:
      if case .proveExisting = finished {
        done = existing?.book.bytes ?? 0
        owner?.advance(self)
        submit(finished)
      } else if let stage {
        if stage.unsynced == 0 { scheduleCheckpoint() }
        didStore(stage)
      }
    case .failed: break
    }
  }

  private func didStore(_ stage: Stage) {
    done = stage.received
    owner?.didProgress(self, isNew: persistence.handleProgress(to: done))
    // The receiver knows of a block as soon as its frame begins.
    if stage.received == announced?.bytes { commitIfWhole() }
  }

  private func scheduleCheckpoint() {
    checkpointDue = owner?.loop.now.advanced(byMilliseconds: Self.checkpointMilliseconds)
  }

  /// A block arrived damaged: it is asked for again, and what follows goes on.
  private func didFindDamage(_ blockStart: UInt64) {
    guard case .receiving = state else { return }
    pendingCommit = nil
    guard persistence.mayRepeat(blockAt: blockStart) else { return end(damage) }
    // Nobody would hear a REPEAT.
    if announced != nil, !serverLingers { return restart(damage) }
    guard receiver.handleDamage(blockStart: blockStart) else { return restart(damage) }
    owner?.send { Repeat(offset: blockStart).append(to: &$0, stream: stream) }
  }

  private var damage: ClientError {
    ClientError(
      .downloadFailed, path: item.remotePath,
      text: [UInt8]("blocks keep arriving damaged; the network or a memory on the way is faulty"),
      isResumable: true)
  }

  private func dropPieces() {
    guard let owner else { return }
    owner.addBacklog(-pieces.removeAll(owner.pool))
  }

  private var localPath: [UInt8] {
    item.folder.isEmpty ? item.name : item.folder + [UInt8]("/") + item.name
  }

  // MARK: Ending

  private func succeed(_ outcome: FileResult.Outcome) {
    result.outcome = outcome
    stop()
    close { [self] in $0.finish(self) }
  }

  private func restart(_ reason: ClientError) {
    guard persistence.mayRestart() else { return end(reason) }
    cancel()
    close { [self] in $0.restart(self) }
  }

  private func end(_ error: ClientError) {
    hasFailed = true
    cancel()
    close { [self] in $0.fail(self, error) }
  }

  private func cancel() {
    if stream > 0 {
      owner?.cancel(stream: stream)
    }
    stop()
  }

  private func stop() {
    state = .ended
    isChecking = false
    noteTime()
  }

  private func noteTime() {
    if let startedAt, let owner { result.milliseconds = owner.loop.now.milliseconds(since: startedAt) }
  }

  /// Stores and checkpoints what was received, lets go of the files, then tells the run.
  private func close(_ tell: @escaping (ClientRun) -> Void) {
    afterClose = tell
    guard !isClosing else { return }
    isClosing = true
    pendingCommit = nil
    // Nothing is prepared for what came.
    if pendingBegin != nil { dropPieces() }
    pendingBegin = nil
    submitNext()
  }

  private func didClose() {
    stage = nil
    existing = nil
    isClosing = false
    let tell = afterClose
    afterClose = nil
    if let owner { tell?(owner) }
  }
}

extension Boot {
  fileprivate static let unknown = Boot(
    id: BootID(bytes: [UInt8](repeating: 0, count: BootID.byteCount)),
    startedAt: Timestamp(seconds: 0, nanoseconds: 0))
}
