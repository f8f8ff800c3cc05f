// One file on its way up: from the offer, over the proof, to the durable receipt.

internal import SpliceBase
internal import SpliceCore
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceUV
package import SpliceWire

/// Joins the negotiation (where to go on) with the source (bytes and digests).
///
/// Each piece is read into a pooled buffer, hashed there, and sent from there.
package final class UploadTask: ClientTask, PoolJob {
  /// What is to be uploaded, and how.
  package struct Item {
    package var localPath: [UInt8]
    package var remotePath: [UInt8]
    /// As the walk saw it; the file is looked at again when it is opened.
    package var size: UInt64
    package var isDirectory: Bool
    package var policy: OfferPolicy
    /// The remote path is the address as it was written, which the user may have meant as a folder.
    package var isNamedByUser: Bool

    package init(
      localPath: [UInt8], remotePath: [UInt8], size: UInt64, isDirectory: Bool, policy: OfferPolicy,
      isNamedByUser: Bool = false
    ) {
      self.localPath = localPath
      self.remotePath = remotePath
      self.size = isDirectory ? 0 : size
      self.isDirectory = isDirectory
      self.policy = isDirectory ? .directory : policy
      self.isNamedByUser = isNamedByUser
    }
  }

  private enum Job {
    case open
    case prove(bytes: UInt64)
    case chain([UInt64])
    /// Name the first `bytes` bytes and get ready to hash on from there.
    case prime(bytes: UInt64)
    /// Fill `buffers` with the beginning of this.
    case read(Range<UInt64>)
  }

  private enum Outcome {
    case none
    case proved(PrefixProof)
    case chain([Digest])
    case primed(PrefixProof)
    case read([ReadPiece])
    /// The file is not the one that was offered any more.
    case changed
    case failed(StoreError)
  }

  private struct ReadPiece {
    let buffer: Buffer
    let count: Int
    let offset: UInt64
    let blockDigest: Digest?
  }

  /// What the peer may send next.
  private enum State {
    case opening
    case offered
    /// Our own job decides what comes next.
    case negotiating
    /// PROBE was sent: CHAIN answers.
    case probing
    case sending
    case committing
    case ended
  }

  package let item: Item
  private let uploadID: UploadID
  private let cache: DigestCache
  package var number: UInt64 = 0
  package private(set) var stream: UInt64 = 0
  package private(set) var result: FileResult
  package private(set) var done: UInt64 = 0
  package private(set) var isChecking = false
  private var owner: ClientRun?
  private var jobs: TransferJobs?
  private var state = State.opening
  private var negotiation: UploadNegotiation?
  private var cursor = SendCursor(size: 0, from: 0)
  /// The peer's answer to the last PROBE.
  private var theirs: [Digest] = []
  private var isDetached = false
  /// What to tell the run when the job that is still running is over.
  private var afterJob: (() -> Void)?
  private var startedAt: Instant?
  private var persistence = Persistence()

  /// Bytes digested by one job, so that the display moves.
  private static let proveBudget: UInt64 = 32 << 20
  private static let buffersPerJob = 4

  // Owned by the job while one runs.
  private var job = Job.open
  private var outcome = Outcome.none
  private var source: Source?
  private var buffers: [Buffer] = []
  private let hasher = BlockHasher()
  /// Where the hasher stands; a multiple of the block size means: at the beginning of a block.
  private var hashedTo: UInt64 = 0

  /// - Parameters:
  ///   - owner: names the machine and user, so that a client that comes back is known.
  ///   - absolutePath: of the local file, which the item may name from the current folder; nil when it does
  ///     not. Two files of one relative name must not be taken for one another.
  package init(_ item: Item, owner: [UInt8], absolutePath: [UInt8]? = nil, cache: DigestCache) {
    self.item = item
    self.cache = cache
    result = FileResult(path: item.remotePath)
    result.localPath = item.localPath
    result.size = item.size
    var name = owner
    for part in [absolutePath ?? item.localPath, item.remotePath] {
      name.append(0)
      name.append(contentsOf: part)
    }
    var id: [UInt8] = []
    BlockHasher.digest(of: name).append(to: &id, count: UploadID.byteCount)
    uploadID = UploadID(bytes: id)
  }

  package var isBulk: Bool { item.size > 4 * Limits.blockSize }

  package var patience: Patience? {
    switch state {
    // The server may have to read a file that it never saw before.
    case .offered, .committing: .forReading(result.size)
    case .probing: .forAnAnswer
    case .opening, .negotiating, .sending, .ended: nil
    }
  }

  // MARK: From the run

  package func start(_ run: ClientRun) {
    owner = run
    stream = 0
    if jobs == nil { jobs = TransferJobs(run.loop, run.shortJobs) }
    if startedAt == nil { startedAt = run.loop.now }
    result.attempts += 1
    isDetached = false
    state = .opening
    done = 0
    if item.isDirectory {
      offer(size: 0, modified: Timestamp(seconds: 0, nanoseconds: 0), mode: 0o755)
    } else {
      submit(.open)
    }
  }

  package func detach() {
    isDetached = true
    // There may be no other try.
    noteTime()
    if jobs?.isInFlight != true { owner?.didDetach(self) }
  }

  package func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    // Sent before the peer heard that this attempt is over.
    if case .ended = state { return }
    switch header.type {
    case .have:
      let have = try Have(body: body)
      guard case .offered = state, !item.isDirectory, var negotiation else { return misplaced() }
      state = .negotiating
      perform(Result { () throws(SequenceError) in try negotiation.handleHave(have) }, negotiation)
    case .chain:
      let chain = try Chain(body: body)
      guard case .probing = state, let negotiation else { return misplaced() }
      // Before the job: another one may not come while it runs.
      state = .negotiating
      theirs = chain.digests
      submit(.chain(negotiation.probes))
    case .ack: handle(try Ack(body: body))
    case .repeat: handle(try Repeat(body: body))
    case .committed: handle(try Committed(body: body))
    default: misplaced()
    }
  }

  private func handle(_ ack: Ack) {
    switch state {
    case .sending, .committing: break
    // The server reads a long file, and shows that it is still there.
    case .offered, .probing, .negotiating: return
    case .opening, .ended: return misplaced()
    }
    guard ack.received <= cursor.front else { return misplaced() }
    done = ack.received
    owner?.didProgress(self, isNew: persistence.handleProgress(to: done))
  }

  private func handle(_ message: Repeat) {
    switch state {
    case .sending, .committing: break
    case .opening, .offered, .negotiating, .probing, .ended: return misplaced()
    }
    do throws(SequenceError) { try cursor.handleRepeat(message.offset) } catch { return misplaced() }
    guard persistence.mayRepeat(blockAt: message.offset) else {
      return end(
        .uploadFailed, "blocks keep arriving damaged; the network or a memory on the way is faulty",
        resumable: true)
    }
    state = .sending
  }

  private func handle(_ receipt: Committed) {
    if item.isDirectory, case .offered = state {
      result.isDurable = true
      return succeed(.done)
    }
    guard case .committing = state, let source, receipt.proof == source.book.chain.digest,
      receipt.size == source.size
    else { return misplaced() }
    result.digest = receipt.proof
    result.isDurable = true
    succeed(.done)
  }

  package func handle(_ error: ErrorMessage) {
    if case .ended = state { return }
    var failure = ClientError(error, path: item.remotePath)
    explain(&failure, error)
    switch error.code {
    case .exists where item.policy == .ifAbsent:
      // Somebody else was faster: it is there, as was asked for.
      done = result.size
      succeed(.alreadyThere)
    case .digestMismatch, .changed: restart(failure)
    case .locked, .busy, .shuttingDown, .timeout: retryLater(failure)
    case .superseded:
      // At the offer: our clock is behind that of an older try. In the middle: a newer run is at work.
      if case .offered = state {
        failure.isResumable = true
        retryLater(failure)
      } else {
        end(failure)
      }
    default: end(failure)
    }
  }

  private func explain(_ failure: inout ClientError, _ error: ErrorMessage) {
    if error.code == .locked {
      failure.text.append(": it has sent ")
      failure.text.append(decimal: error.holderReceived)
      failure.text.append(" bytes and was silent for ")
      failure.text.append(decimal: error.holderQuietMilliseconds)
      failure.text.append(" ms")
    }
    if error.code == .isDirectory, item.isNamedByUser {
      failure.text.append("; to put the file into it, end the address with '/'")
    }
  }

  private func misplaced() {
    end(.malformed, "the server sent a message that does not belong here", resumable: true)
  }

  // MARK: Negotiating

  private func offer(size: UInt64, modified: Timestamp, mode: UInt32) {
    guard let owner else { return }
    stream = owner.makeStream(for: self)
    negotiation = UploadNegotiation(size: size, policy: item.policy)
    let offer = Offer(
      policy: item.policy, mode: mode, size: size, modified: modified, upload: uploadID,
      fence: owner.makeFence(), path: item.remotePath)
    owner.send { offer.append(to: &$0, stream: stream) }
    state = .offered
  }

  private func perform(
    _ next: Result<UploadNegotiation.Action, SequenceError>, _ changed: UploadNegotiation
  ) {
    negotiation = changed
    guard case .success(let action) = next else { return misplaced() }
    switch action {
    case .proveSource(let bytes):
      isChecking = true
      submit(.prove(bytes: bytes))
    case .probe(let blockCounts):
      state = .probing
      owner?.send { Probe(blockCounts: blockCounts).append(to: &$0, stream: stream) }
    case .resume(let bytes, let forked):
      result.resumedFrom = bytes
      persistence.handleResume(at: bytes)
      if forked { result.salvagedTo = bytes }
      done = bytes
      if bytes == 0, let source {
        send(from: PrefixChain(source.geometry).proof(bytes: 0, tail: nil), of: source)
      } else {
        submit(.prime(bytes: bytes))
      }
    case .alreadyThere:
      owner?.cancel(stream: stream)
      // With --if-absent the server has looked at nothing but the name.
      result.isDurable = item.policy != .ifAbsent
      if let source, source.book.isComplete { result.digest = source.book.chain.digest }
      done = result.size
      succeed(.alreadyThere)
    }
  }

  // MARK: Sending

  private func send(from proof: PrefixProof, of source: Source) {
    hashedTo = .max
    cursor = SendCursor(size: source.size, from: proof.bytes)
    state = .sending
    owner?.send { Resume(from: proof.bytes, proof: proof.digest).append(to: &$0, stream: stream) }
  }

  /// Reads on when there is room.
  package func produce() -> Bool {
    guard case .sending = state, let owner, let jobs, !jobs.isInFlight, let source else { return false }
    guard let next = cursor.next else {
      state = .committing
      let commit = Commit(size: source.size, proof: source.book.chain.digest)
      owner.send { commit.append(to: &$0, stream: stream) }
      return true
    }
    let count = next.upperBound - next.lowerBound
    let wanted = Int(min(UInt64(Self.buffersPerJob), count / UInt64(Limits.portionSize) + 1))
    while buffers.count < wanted, let buffer = owner.pool.take() { buffers.append(buffer) }
    if !buffers.isEmpty { submit(.read(next)) }
    return false
  }

  private func queue(_ pieces: [ReadPiece]) {
    guard let owner, case .sending = state else { return drop(pieces) }
    // The peer asked for a block again while these were being read.
    guard pieces.first?.offset == cursor.next?.lowerBound else { return drop(pieces) }
    for piece in pieces {
      let prefix = DataPrefix(
        stream: stream, offset: piece.offset, count: piece.count, blockDigest: piece.blockDigest)
      owner.send { prefix.append(to: &$0) }
      owner.send(Slice(buffer: piece.buffer, range: 0..<piece.count))
      result.sent += UInt64(piece.count)
      cursor.advance(by: UInt64(piece.count))
    }
    owner.advance(self)
  }

  private func drop(_ pieces: [ReadPiece]) {
    for piece in pieces { owner?.pool.unpin(piece.buffer) }
  }

  // MARK: Jobs

  private func submit(_ next: Job) {
    job = next
    outcome = .none
    jobs?.submit(self, inCompany: (source?.size ?? item.size) <= Limits.shortFileMax)
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
    case .open:
      try openSource()
      return .none
    case .prove(let bytes):
      guard let source, try source.extendBook(toCover: bytes, budget: Self.proveBudget) else { return .none }
      if try source.hasChanged() { return .changed }
      return .proved(try source.proof(of: bytes))
    case .chain(let blockCounts):
      guard let source else { return .none }
      return .chain(try source.chain(at: blockCounts))
    case .prime(let bytes):
      guard let source else { return .none }
      _ = try source.extendBook(toCover: bytes, budget: .max)
      return .primed(try source.proof(of: bytes))
    case .read(let range): return try read(range)
    }
  }

  private func openSource() throws(StoreError) {
    do throws(Errno) {
      let file = try PosixFile.open(item.localPath)
      let status = try file.status()
      guard status.kind == .regular else { throw status.kind == .directory ? .isDirectory : .notSupported }
      // A book in memory is worth keeping as long as the file is the same.
      if let source, source.status.key == status.key { return }
      source = Source(file, status, cache.book(status.key, path: item.localPath))
    } catch {
      throw StoreError(error, otherwise: .openFailed)
    }
  }

  private func read(_ range: Range<UInt64>) throws(StoreError) -> Outcome {
    guard let source else { return .none }
    var pieces: [ReadPiece] = []
    var offset = range.lowerBound
    let geometry = source.geometry
    do throws(Errno) {
      // In the middle of a block, and around one that goes again, the hasher has to catch up first.
      let blockStart = geometry.blockStart(offset)
      if hashedTo != offset {
        hasher.reset()
        guard try source.file.hash(from: blockStart, to: offset, with: hasher) == offset - blockStart else {
          return .changed
        }
      }
      for buffer in buffers where offset < range.upperBound {
        let blockEnd = geometry.blockEnd(offset, fileSize: source.size)
        let room = UnsafeMutableRawBufferPointer(
          rebasing: buffer.bytes[..<min(Limits.portionSize, Int(blockEnd - offset))])
        guard try source.file.readAll(into: room, at: offset) == room.count else { return .changed }
        hasher.update(UnsafeRawBufferPointer(room))
        var digest: Digest?
        if offset + UInt64(room.count) == blockEnd {
          digest = hasher.digest()
          hasher.reset()
          guard try record(hasherDigest: digest, block: offset / geometry.blockSize, in: source) else {
            return .changed
          }
        }
        pieces.append(ReadPiece(buffer: buffer, count: room.count, offset: offset, blockDigest: digest))
        offset += UInt64(room.count)
      }
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
    hashedTo = offset
    if offset == source.size, try source.hasChanged() { return .changed }
    return .read(pieces)
  }

  /// Notes a block's digest, or compares it with what an earlier try noted. Returns false when the file
  /// holds something else now, although its times and size say that it is the same.
  private func record(hasherDigest: Digest?, block: UInt64, in source: Source) throws(Errno) -> Bool {
    guard let digest = hasherDigest else { return true }
    if block == source.book.blocks {
      try source.book.append(digest)
      return true
    }
    if try source.book.digests(from: block, count: 1).first == digest { return true }
    try source.book.clear()
    return false
  }

  /// On the loop's thread again.
  package func finish(cancelled: Bool) {
    let filled = buffers
    buffers = []
    var used = 0
    if case .read(let pieces) = outcome { used = pieces.count }
    for buffer in filled[used...] { owner?.pool.unpin(buffer) }
    if isDetached || afterJob != nil {
      if case .read(let pieces) = outcome { drop(pieces) }
      let tell = afterJob
      afterJob = nil
      if isDetached { owner?.didDetach(self) } else { tell?() }
      return
    }
    switch outcome {
    case .none: didFinishStep()
    case .proved(let proof):
      isChecking = false
      guard var negotiation else { return }
      perform(Result { () throws(SequenceError) in try negotiation.handleOwnProof(proof) }, negotiation)
    case .chain(let ours):
      guard var negotiation else { return }
      let next = Result { () throws(SequenceError) in try negotiation.handleChain(theirs, ours: ours) }
      perform(next, negotiation)
    case .primed(let proof):
      if let source { send(from: proof, of: source) }
    case .read(let pieces): queue(pieces)
    case .changed:
      let text = [UInt8]("the file keeps changing while it is read")
      restart(ClientError(.changed, path: item.localPath, text: text, isResumable: true))
    case .failed(let error):
      end(
        ClientError(
          error.code, path: item.localPath, text: error.sentence, isResumable: false,
          cause: error.cause.map { .system($0) } ?? .unspecified))
    }
    owner?.flushSoon()
  }

  /// A step of a longer job is done, or the file is open.
  private func didFinishStep() {
    guard let source else { return }
    switch job {
    case .open:
      result.size = source.size
      offer(size: source.size, modified: source.status.modified, mode: source.status.mode)
    case .prove:
      done = source.book.bytes
      owner?.advance(self)
      submit(job)
    case .chain, .prime, .read: panic("these jobs have an outcome")
    }
  }

  // MARK: Ending

  private func succeed(_ outcome: FileResult.Outcome) {
    result.outcome = outcome
    stop()
    whenIdle { $0.finish(self) }
  }

  /// Offers the file anew, after what the server holds of it was let go.
  private func restart(_ reason: ClientError) {
    guard persistence.mayRestart() else { return end(reason) }
    cancel()
    whenIdle { $0.restart(self) }
  }

  private func retryLater(_ reason: ClientError) {
    stop()
    whenIdle { $0.retryLater(self, because: reason) }
  }

  private func end(_ code: ErrorCode, _ text: StaticString, resumable: Bool) {
    end(ClientError(code, path: item.remotePath, text: [UInt8](text), isResumable: resumable))
  }

  private func end(_ error: ClientError) {
    cancel()
    whenIdle { $0.fail(self, error) }
  }

  private func cancel() {
    if stream > 0 {
      owner?.cancel(stream: stream)
    }
    stop()
  }

  /// The run hears of the end when no job is left that could touch the files.
  private func whenIdle(_ tell: @escaping (ClientRun) -> Void) {
    guard let owner else { return }
    if jobs?.isInFlight == true { afterJob = { tell(owner) } } else { tell(owner) }
  }

  private func stop() {
    state = .ended
    isChecking = false
    noteTime()
  }

  private func noteTime() {
    if let startedAt, let owner { result.milliseconds = owner.loop.now.milliseconds(since: startedAt) }
  }
}
