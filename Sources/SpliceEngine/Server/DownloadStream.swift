// One download in the daemon: from the request, over the proof, to the last byte.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// Joins the handshake machine (what may go now) with the source (bytes and digests).
///
/// File bytes go from the page cache to the socket by sendfile. What is in memory goes at once, since the
/// kernel can say so without waiting; for the rest a job on the pool runs ahead and sees to it that the next
/// blocks have their digests and are in memory. So the loop never waits for a disk, and a warm file needs no
/// second thread.
final class DownloadStream: ServerStream, PoolJob {
  private enum Job {
    case open
    /// Digest more of the file, until the first `bytes` bytes can be proved.
    case prove(bytes: UInt64)
    case probe([UInt64])
    /// Check a claim of the peer and begin there.
    case resume(PrefixProof)
    /// Read a block that reached the peer damaged: it may be damaged here.
    case check(block: UInt64)
    /// Fetch digests and warm the pages of the blocks from this one on.
    case prepare(from: UInt64)
  }

  private enum Outcome {
    case none
    case proved(PrefixProof)
    case chain([Digest])
    case agreed(AgreedPrefix)
    case checked
    case prepared(from: UInt64)
    case failed(StoreError)
  }

  let id: UInt64
  let path: WirePath
  private let want: Want
  private let startsAtOnce: Bool
  private let connection: Connection
  private let jobs: TransferJobs
  let report: TransferReport?
  private var sender: DownloadSender?
  private var size: UInt64 = 0
  private var isTransfer = false
  private var isAbandoned = false
  private var hasEnded = false
  private var pendingControl: Job?
  /// Offsets of blocks that the peer asked for again. Nothing goes before they are checked.
  private var unchecked: [UInt64] = []
  /// END was sent, and nothing since.
  private var endedAt: Instant?

  // Owned by the job while one runs.
  private var job = Job.open
  private var outcome = Outcome.none
  private var source: Source?
  private var fetched: [Digest] = []

  /// Digests of the blocks from `digestsFrom` on.
  private var digests: [Digest] = []
  private var digestsFrom: UInt64 = 0
  private var digestsEnd: UInt64 { digestsFrom + UInt64(digests.count) }
  /// Blocks before this one have their digests here, and their pages are in memory.
  private var preparedEnd: UInt64 = 0

  /// Blocks that are prepared at a time.
  private static let prepareCount: UInt64 = 8
  /// Digests that one job fetches: many, because without them a job is needed even for a warm file.
  private static let digestCount = 64
  /// How long a peer that has had END may go without a word about this file.
  private static let lingerMilliseconds: UInt64 = 60_000
  /// Bytes digested by one job, so that others get their turn on the pool and a cancel is heard.
  private static let proveBudget: UInt64 = 64 << 20

  init(_ id: UInt64, _ path: WirePath, _ want: Want, startsAtOnce: Bool, _ connection: Connection) {
    self.id = id
    self.path = path
    self.want = want
    self.startsAtOnce = startsAtOnce
    self.connection = connection
    jobs = TransferJobs(connection.worker.loop, connection.worker.shortJobs)
    report = TransferReport.make(connection, id, .downloading, path)
  }

  var isBusy: Bool { jobs.isInFlight }
  var activity: SessionActivity { .downloading }
  var progress: (done: UInt64, size: UInt64) { (sender?.front ?? 0, size) }

  // MARK: From the connection

  func begin() {
    guard connection.beginTransfer(.download) else { return fail(.tooManyTransfers(path)) }
    isTransfer = true
    submit(.open)
  }

  func handleProbe(_ probe: Probe) {
    guard let sender else { return fail(SequenceError.unexpected(.probe)) }
    do throws(SequenceError) { try sender.handleProbe() } catch { return fail(error) }
    control(.probe(probe.blockCounts))
  }

  func handleResume(_ resume: Resume) {
    guard var sender else { return fail(SequenceError.unexpected(.resume)) }
    do throws(SequenceError) { try sender.handleResume(from: resume.from) } catch { return fail(error) }
    self.sender = sender
    control(.resume(PrefixProof(bytes: resume.from, digest: resume.proof)))
  }

  func handleRepeat(_ message: Repeat) {
    guard !isAbandoned else { return }
    guard var sender else { return fail(SequenceError.unexpected(.repeat)) }
    do throws(SequenceError) { try sender.handleRepeat(message.offset) } catch { return fail(error) }
    self.sender = sender
    unchecked.append(message.offset)
    submitNext()
  }

  func handleCommit(_ commit: Commit) { fail(SequenceError.unexpected(.commit)) }

  private func control(_ next: Job) {
    guard !isAbandoned else { return }
    guard pendingControl == nil else {
      return fail(ErrorMessage(.malformed, path: path.bytes, "a request came before the last was answered"))
    }
    pendingControl = next
    submitNext()
  }

  func tick(_ now: Instant) {
    if let endedAt, !isBusy, now.milliseconds(since: endedAt) > Self.lingerMilliseconds { abandon() }
  }

  func abandon() {
    isAbandoned = true
    submitNext()
  }

  private func fail(_ error: SequenceError) {
    fail(ErrorMessage(.malformed, path: path.bytes, error.sentence))
  }

  private func fail(_ message: ErrorMessage) {
    guard !isAbandoned else { return }
    connection.fail(id, message)
    abandon()
  }

  /// Queues the next piece, when its block is prepared.
  func produce() -> Bool {
    guard !isAbandoned, pendingControl == nil, unchecked.isEmpty, var sender, let source, let link = connection.link
    else { return false }
    // A job that looks ahead, for a block that goes again, may be at the book.
    if !jobs.isInFlight, sender.takeEnd() {
      self.sender = sender
      endedAt = connection.worker.loop.now
      connection.worker.counters.count(completed: .download)
      let end = End(size: source.size, proof: source.book.chain.digest)
      link.send { end.append(to: &$0, stream: id) }
      report?.complete()
      if sender.endIsLast { abandon() }
      return true
    }
    guard let piece = sender.nextPiece else { return false }
    let block = piece.offset / sender.geometry.blockSize
    guard block >= digestsFrom, block < preparedEnd || isPrepared(source, from: block) else {
      prepare(from: block)
      return false
    }
    let digest = digests[Int(block - digestsFrom)]
    let prefix = DataPrefix(
      stream: id, offset: piece.offset, count: piece.count, blockDigest: piece.endsBlock ? digest : nil)
    link.send { prefix.append(to: &$0) }
    link.send(source.file, offset: piece.offset, count: piece.count)
    let isRepeat = piece.offset < sender.front
    sender.handleSent(piece.count)
    report?.advance(to: sender.front)
    self.sender = sender
    if !isRepeat {
      prepareAhead(source, of: block)
    } else if endedAt != nil {
      endedAt = connection.worker.loop.now
    }
    return true
  }

  // MARK: Looking ahead

  /// Whether the blocks from `first` on may go without a job, because they are at hand. Never waits.
  private func isPrepared(_ source: Source, from first: UInt64) -> Bool {
    // While a job runs, the source is the job's.
    guard !jobs.isInFlight, first >= digestsFrom, first < digestsEnd else { return false }
    let end = min(first + Self.prepareCount, digestsEnd)
    let start = first * source.geometry.blockSize
    let endOffset = min(end * source.geometry.blockSize, source.size)
    guard source.file.isCached(from: start, count: endOffset - start) else { return false }
    // A job finds out again, and says so.
    do throws(StoreError) { if try source.hasChanged() { return false } } catch { return false }
    preparedEnd = end
    return true
  }

  private func prepareAhead(_ source: Source, of block: UInt64) {
    guard preparedEnd - block <= Self.prepareCount / 2, !isEnd(preparedEnd, source),
      !isPrepared(source, from: preparedEnd)
    else { return }
    prepare(from: preparedEnd)
  }

  private func isEnd(_ block: UInt64, _ source: Source) -> Bool { block * source.geometry.blockSize >= source.size }

  private func prepare(from block: UInt64) {
    guard !jobs.isInFlight else { return }
    submit(.prepare(from: block))
  }

  private func didPrepare(from first: UInt64) {
    if first >= digestsFrom, first <= digestsEnd {
      digests.removeLast(Int(digestsEnd - first))
      // Those of blocks that are sent are not needed any more.
      var sent = digests.count
      if let sender, let next = sender.nextPiece {
        // One that goes again may lie before all of them.
        sent = Int(clamping: max(next.offset / sender.geometry.blockSize, digestsFrom) - digestsFrom)
      }
      digests.removeFirst(min(sent, digests.count))
      digestsFrom = first - UInt64(digests.count)
    } else {
      digestsFrom = first
      digests.removeAll(keepingCapacity: true)
    }
    digests.append(contentsOf: fetched)
    preparedEnd = min(first + Self.prepareCount, digestsEnd)
  }

  // MARK: Jobs

  private func submitNext() {
    guard !jobs.isInFlight, !hasEnded else { return }
    if isAbandoned {
      end()
    } else if let control = pendingControl {
      pendingControl = nil
      submit(control)
    } else if let block = unchecked.first {
      submit(.check(block: block))
    }
  }

  private func submit(_ next: Job) {
    job = next
    outcome = .none
    let isShort = if case .open = next { true } else { false }
    jobs.submit(self, inCompany: isShort)
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
      let source = try connection.store.openSource(path)
      self.source = source
      // Another job for so little would take longer than what it does.
      guard startsAtOnce, want.held == 0, source.size > 0, source.size <= Limits.shortFileMax else { return .none }
      try prepare(source, from: 0)
      return .prepared(from: 0)
    case .prove(let bytes):
      guard let source, try source.extendBook(toCover: bytes, budget: Self.proveBudget) else { return .none }
      return .proved(try source.proof(of: bytes))
    case .probe(let blockCounts):
      guard let source, let last = blockCounts.last else { return .none }
      let wanted = min(last.multipliedReportingOverflow(by: source.geometry.blockSize).partialValue, source.size)
      guard try source.extendBook(toCover: wanted, budget: Self.proveBudget) else { return .none }
      return .chain(try source.chain(at: blockCounts))
    case .resume(let claim):
      guard let source, try source.extendBook(toCover: claim.bytes, budget: Self.proveBudget) else { return .none }
      guard let agreed = AgreedPrefix(ours: try source.proof(of: claim.bytes), theirs: claim) else {
        throw StoreError(.digestMismatch)
      }
      return .agreed(agreed)
    case .check(let offset):
      if let source { try checkBlock(at: offset, of: source) }
      return .checked
    case .prepare(let first):
      guard let source else { return .none }
      try prepare(source, from: first)
      return .prepared(from: first)
    }
  }

  /// The peer got a block that did not match its digest. If ours does not match either, the fault is here.
  private func checkBlock(at start: UInt64, of source: Source) throws(StoreError) {
    if try source.hasChanged() { throw StoreError(.changed) }
    let geometry = source.geometry
    do throws(Errno) {
      let recorded = try source.book.digests(from: start / geometry.blockSize, count: 1)
      let end = geometry.blockEnd(start, fileSize: source.size)
      let actual = try source.digestOfBytes(from: start, to: end)
      if recorded.first != actual { throw .inputOutput }
    } catch {
      throw StoreError(.digestMismatch, error)
    }
  }

  private func prepare(_ source: Source, from first: UInt64) throws(StoreError) {
    let geometry = source.geometry
    let start = first * geometry.blockSize
    let end = min(start + Self.prepareCount * geometry.blockSize, source.size)
    if try source.hasChanged() { throw StoreError(.changed) }
    if source.book.bytes < end {
      // Hashing reads the blocks, which warms them too.
      _ = try source.extendBook(toCover: end, budget: .max)
    } else {
      source.file.warm(from: start, to: end)
    }
    fetched.removeAll(keepingCapacity: true)
    let needed = Int((end - start + geometry.blockSize - 1) / geometry.blockSize)
    try source.readDigests(from: first, count: Self.digestCount, needed: needed, into: &fetched)
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    if isAbandoned { return submitNext() }
    switch outcome {
    case .failed(let error):
      connection.fail(id, error, path: path)
      abandon()
    case .none:
      if case .open = job {
        didOpen()
      } else {
        // Not all of the file that this needs is digested yet; others may have their turn first.
        submit(job)
      }
    case .proved(let ours):
      give(proved: AgreedPrefix(ours: ours, theirs: PrefixProof(bytes: want.held, digest: want.proof)))
    case .chain(let digests): connection.link?.send { Chain(digests: digests).append(to: &$0, stream: id) }
    case .agreed(let prefix):
      connection.worker.counters.count(resumedAt: prefix.bytes, held: want.held)
      sender?.begin(at: prefix)
      report?.begin(at: prefix.bytes, of: size)
    case .checked: unchecked.removeFirst()
    case .prepared(let first):
      if case .open = job { didOpen() }
      didPrepare(from: first)
    }
    submitNext()
    connection.link?.flushSoon()
  }

  private func didOpen() {
    guard let source else { return }
    size = source.size
    sender = DownloadSender(size: source.size)
    if want.held == 0 {
      give(proved: AgreedPrefix(ours: .empty(source.geometry), theirs: .empty(source.geometry)))
    } else if want.held > source.size {
      give(proved: nil)
    } else {
      submit(.prove(bytes: want.held))
    }
  }

  private func give(proved: AgreedPrefix?) {
    guard let source, var sender else { return }
    let give = Give(
      proved: proved != nil, mode: source.status.mode & 0o777, size: source.size,
      modified: source.status.modified, blockSize: source.geometry.blockSize,
      version: source.status.key.stamp)
    connection.link?.send { give.append(to: &$0, stream: id) }
    let start = startsAtOnce ? proved?.bytes : nil
    if let start { connection.worker.counters.count(resumedAt: start, held: want.held) }
    sender.handleOpened(startingAt: start)
    self.sender = sender
    if startsAtOnce, let proved { report?.begin(at: proved.bytes, of: size) }
  }

  private func end() {
    hasEnded = true
    if isTransfer { connection.endTransfer() }
    isTransfer = false
    connection.didEnd(self)
    connection.link?.flushSoon()
  }
}
