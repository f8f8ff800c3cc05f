// A file that is not finished: its bytes, its journal, and how far both can be believed.

package import SpliceBase
package import SpliceCore
package import SpliceSystem
internal import SpliceWire

/// The receiving end of one transfer on disk. The daemon's uploads and the client's downloads both
/// end in one, so both keep the same promises.
///
/// Blocking: call it on a thread of the pool, one job at a time.
///
/// - Invariant: `durable <= received`; the journal never claims a block that is not written.
package final class Stage {
  /// Where the two files are.
  package struct Location {
    package let directory: any Directory
    package let dataName: [UInt8]
    package let journalName: [UInt8]
    /// Of a journal that is to take the place of the present one.
    package var newJournalName: [UInt8] { journalName + [UInt8](".new") }

    package init(directory: any Directory, dataName: [UInt8], journalName: [UInt8]) {
      self.directory = directory
      self.dataName = dataName
      self.journalName = journalName
    }
  }

  package enum OnAppend: Equatable {
    case stored
    /// The block that begins here differs from its digest; it is missing until it comes again.
    case damaged(blockStart: UInt64)
  }

  package private(set) var header: JournalHeader
  package private(set) var geometry: BlockGeometry
  /// Bytes written and counted in the digests, up to the first that is missing.
  package private(set) var received: UInt64 = 0 { didSet { updateRoom() } }
  /// What this upload was promised of a disk that cannot reserve.
  var room: SpacePromise?
  /// Bytes of whole blocks, whose digests were compared with the sender's.
  package var verified: UInt64 { received - geometry.tail(of: received) }
  /// Bytes that a power cut cannot take back.
  package private(set) var durable: UInt64 = 0
  /// Behind the last byte on disk; something before it may be missing.
  private var written: UInt64 { ahead?.end ?? received }
  /// Bytes written since the last checkpoint.
  package var unsynced: UInt64 { written - min(max(durable, ahead?.synced ?? 0), written) }

  private let location: Location
  /// Where its data is, also while that has no name.
  var folder: any Directory { location.directory }
  private let boot: Boot
  private var data: (any File)?
  private var log: RecordLog?
  /// Records of the journal up to which it has said anew what an opening needs.
  private var restated: UInt64 = 0
  /// The whole blocks before `received`.
  private var chain: PrefixChain
  /// Everything of the block that `received`, or the end of what is ahead, lies in.
  private var hasher = BlockHasher()
  /// Nil while nothing is missing.
  private var ahead: Ahead?
  /// The digest of a file of one block, which no journal has yet.
  private var unrecorded: Digest?
  /// The header on disk is another one than `header`, or there is none.
  private var journalIsForeign = true
  private var nameIsDurable = false
  /// The data of a short file: nobody else can find it, and it goes with this process.
  private var isNameless = false
  /// Nil once it is known what is held.
  private var unread: Unread?
  /// `resume` was called: bytes may be appended, and room for them is reserved.
  private var isWriting = false
  package private(set) var isCommitted = false
  /// What the owner of an unfinished file needs.
  private static let ownerMode: UInt32 = 0o600
  /// Until it has its final name. A file that its owner may not write could not be taken up again.
  private var sealedMode: UInt32 { header.mode | Self.ownerMode }
  /// The time that the finished file shows, once it has all its attributes.
  private var sealedAs: Timestamp?
  /// The disk was asked to begin with what is before.
  private var writebackBegun: UInt64 = 0
  /// A write failed half-way: the data is longer than the journal knows, and the next opening reads it again.
  private var isWriteTorn = false
  /// What the data looked like after our last change to it, or when it was opened. It goes into every record:
  /// when the data looks different later, somebody else wrote.
  private var knownStamp: UInt64?
  /// No record has it yet, on purpose.
  private var isMarked = false

  /// What the journal of an earlier try does not vouch for.
  private struct Unread {
    let limit: UInt64
    /// Digests recorded after the last checkpoint before the machine went down: such a block counts only if it
    /// still has its digest. Where there is none, the bytes themselves are what there is, and the sender will
    /// compare them.
    let suspects: [Digest]
    /// The block that the first of them is of.
    let firstSuspect: UInt64
    /// What the journal says from the first block on, and how much of it was durable: see `JournalEvidence`.
    let recorded: [Digest]
    let recordedDurable: UInt64
    /// All that the journal says counts.
    let isWhole: Bool
    /// Blocks that were read and are what was recorded.
    var matching: UInt64 = 0
    /// The journal says no more than what was read.
    var isSettled = false

    func expects(_ digest: Digest, ofBlock block: UInt64) -> Bool {
      let (known, first) = recorded.isEmpty ? (suspects, firstSuspect) : (recorded, 0)
      return !isSettled && block - first < UInt64(known.count) && known[Int(block - first)] == digest
    }
  }

  /// What came behind a block that was damaged. It is on disk and nowhere else: whoever takes the stage up again, or
  /// closes it, gives it up.
  private final class Ahead {
    /// Behind the last byte.
    var end: UInt64 = 0
    /// What that was at the last checkpoint.
    var synced: UInt64 = 0
    /// Of the blocks from `received` on; nil for those that arrived damaged. A short last block that did not is in the
    /// stage's hasher.
    var digests: [Digest?] = []
    /// Everything of the block that is coming again: one at a time.
    var hasher = BlockHasher()
  }

  private init(_ location: Location, header: JournalHeader, boot: Boot) {
    self.location = location
    self.header = header
    self.boot = boot
    geometry = BlockGeometry(blockSize: header.blockSize)
    chain = PrefixChain(geometry)
  }

  // MARK: Opening

  /// Takes up what an earlier try left at `location`, or begins with nothing. Changes nothing yet but
  /// what is torn at the journal's end; `takeUpMore` reads what the journal does not vouch for.
  ///
  /// - Parameters:
  ///   - declared: the transfer as the sender declares it now; the source may have changed since the last
  ///     try. nil when that is not known yet: then `redeclare` follows.
  ///   - path: where the file will go; a journal for another path is not believed.
  package static func open(
    _ location: Location, declared: JournalHeader?, path: [UInt8], boot: Boot
  ) throws(StoreError) -> Stage {
    let stage = Stage(location, header: declared ?? .undeclared(path: path, size: 0), boot: boot)
    do throws(Errno) {
      try stage.takeUp(isDeclared: declared != nil)
    } catch {
      throw error == .busy ? StoreError(.locked) : StoreError(error, otherwise: .openFailed)
    }
    return stage
  }

  /// The sender has said what the file is. Returns false when that needs blocks of another size: then this
  /// stage is of no use.
  package func redeclare(_ declared: JournalHeader) -> Bool {
    guard declared.blockSize == geometry.blockSize else { return false }
    if !declared.isSameTransfer(as: header) {
      header = declared
      journalIsForeign = true
    }
    return true
  }

  private func takeUp(isDeclared: Bool) throws(Errno) {
    guard let file = try openExisting(location.dataName) else { return }
    // Before anything is changed: the journal of a stage that is being written is not ours to cut.
    let status = try claim(file)
    data = file
    knownStamp = status.key.stamp
    if !isDeclared { use(.undeclared(path: header.path, size: status.size)) }
    var evidence = JournalEvidence(geometry)
    if let journal = try openExisting(location.journalName), let (log, bytes) = try RecordLog.open(journal),
      let old = JournalHeader(bytes), old.path == header.path,
      !isDeclared || old.blockSize == header.blockSize
    {
      if !isDeclared { use(old) }
      journalIsForeign = !old.isSameTransfer(as: header)
      self.log = log
      evidence = try JournalEvidence(log, geometry: geometry, status: status, boot: boot)
      chain = evidence.trusted
      // What is torn goes. The rest stays until the bytes have been read: this opening may get no further, and the
      // next one is to know as much.
      try log.cut(at: evidence.end)
    }
    received = chain.blocks * geometry.blockSize
    let limit = min(status.size, evidence.limit ?? status.size)
    durable = min(evidence.durable, limit)
    // What a sync has failed for may still be in memory; what counts is what the disk has.
    if limit > received { file.dropCached() }
    unread = Unread(
      limit: limit, suspects: evidence.suspects, firstSuspect: chain.blocks, recorded: evidence.recorded,
      recordedDurable: evidence.recordedDurable, isWhole: evidence.isWhole)
  }

  private func use(_ other: JournalHeader) {
    header = other
    geometry = BlockGeometry(blockSize: other.blockSize)
    chain = PrefixChain(geometry)
  }

  /// Nothing is left for `takeUpMore` to read.
  package var isTakenUp: Bool { unread == nil }

  /// Reads on, at most about `budget` bytes, what the journal does not vouch for. Until this returns true it is
  /// not known what is held, and nothing may be asked of the stage but to be closed.
  package func takeUpMore(budget: UInt64) throws(StoreError) -> Bool {
    guard var unread, let data else { return true }
    do throws(Errno) {
      let isDone = try readAgain(data, &unread, budget: budget)
      self.unread = unread
      guard isDone else { return false }
      if !unread.isWhole, !unread.isSettled { try settle(&unread) }
      durable = min(durable, received)
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
    self.unread = nil
    return true
  }

  /// Digests bytes again, from `received` on. Returns true at their end.
  private func readAgain(_ file: any File, _ unread: inout Unread, budget: UInt64) throws(Errno) -> Bool {
    let pause = received.addingReportingOverflow(max(budget, geometry.blockSize))
    while received < unread.limit {
      if !pause.overflow, received >= pause.partialValue { return false }
      let end = geometry.blockEnd(received, fileSize: unread.limit)
      let count = try file.hash(from: received, to: end, with: hasher)
      received += count
      guard received == end else { return true }
      guard geometry.tail(of: received) == 0 else { continue }
      let digest = hasher.digest()
      if unread.expects(digest, ofBlock: chain.blocks) {
        // Its record is there.
        unread.matching += 1
        chain.append(digest)
        hasher.reset()
        continue
      }
      if !unread.isSettled {
        if chain.blocks - unread.firstSuspect < UInt64(unread.suspects.count) {
          // Lost in the power cut; what was acknowledged of this block is whole all the same.
          received = end - geometry.blockSize
          try hashTail(file, to: max(durable, received))
          return true
        }
        if chain.blocks < UInt64(unread.recorded.count), unread.recordedDurable < end,
          unread.recordedDurable > end - geometry.blockSize
        {
          // The last checkpoint lies in this block: what came behind it may be lost, what came before it is not.
          try hashTail(file, to: unread.recordedDurable)
          return true
        }
        try settle(&unread)
      }
      try finishBlock(digest)
    }
    return true
  }

  /// The journal says from now on what was read, and no more; what follows in it is written by this process, under
  /// this boot. It says at once what is durable: the next opening is to know that, whatever becomes of this one.
  private func settle(_ unread: inout Unread) throws(Errno) {
    unread.isSettled = true
    durable = max(durable, min(unread.recordedDurable, unread.matching * geometry.blockSize))
    guard let log else { return }
    if log.position.blocks > chain.blocks {
      restated = 0
      try log.cut(at: positionBehind(blocks: chain.blocks))
    }
    try enter(.session(boot: boot.id), in: log)
    try enter(.checkpoint(durable: durable), in: log)
  }

  private func hashTail(_ file: any File, to end: UInt64) throws(Errno) {
    hasher.reset()
    let start = geometry.blockStart(end)
    received = start + (try file.hash(from: start, to: end, with: hasher))
  }

  private func openExisting(_ name: [UInt8]) throws(Errno) -> (any File)? {
    do throws(Errno) {
      let file = try location.directory.openFile(name, .readWrite, permissions: 0)
      _ = try plainStatus(file)
      return file
    } catch {
      if error == .noEntry { return nil }
      throw error
    }
  }

  /// Throws for anything that somebody may have put there so that another file gets written.
  private func plainStatus(_ file: any File) throws(Errno) -> FileStatus {
    let status = try file.status()
    if status.kind == .directory { throw .isDirectory }
    guard status.kind == .regular else { throw .notSupported }
    guard status.linkCount <= 1 else { throw .tooManyLinks }
    return status
  }

  /// Takes the lock of the stage's data. Two programs writing one stage would mix two files.
  private func claim(_ file: any File) throws(Errno) -> FileStatus {
    guard try file.tryLock() else { throw .busy }
    let status = try plainStatus(file)
    // Whoever had the lock until now may have given the file its final name.
    guard try isNamed(status) else { throw .busy }
    return status
  }

  /// The name of the stage's data is still that of this file.
  private func isNamed(_ status: FileStatus) throws(Errno) -> Bool {
    do throws(Errno) {
      let named = try location.directory.status(location.dataName, followLinks: false)
      return named.device == status.device && named.inode == status.inode
    } catch {
      if error == .noEntry { return false }
      throw error
    }
  }

  /// An empty file that nobody had open, or under another name, before.
  private func newFile(_ name: [UInt8]) throws(Errno) -> any File {
    try removeIfThere(name)
    return try location.directory.openFile(name, .createNew, permissions: 0o600)
  }

  // MARK: Proving

  /// Names everything that is held.
  package var proof: PrefixProof {
    chain.proof(bytes: received, tail: geometry.tail(of: received) > 0 ? hasher.digest() : nil)
  }

  /// The prefix digests of so many blocks each; fewer when fewer are held.
  package func chain(at blockCounts: [UInt64]) throws(StoreError) -> [Digest] {
    do throws(Errno) {
      guard let log else { return [] }
      let digests = try log.chain(at: blockCounts, of: geometry)
      let held = blockCounts.prefix { $0 <= chain.blocks }
      if digests.count < held.count { throw try forgetDamagedJournal() }
      return digests
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
  }

  private func readChain(blocks: UInt64) throws(Errno) -> PrefixChain {
    var result = PrefixChain(geometry)
    try log?.scan { record, _, _ in
      if case .block(let digest) = record, result.blocks < blocks { result.append(digest) }
      return result.blocks < blocks
    }
    return result
  }

  private func positionBehind(blocks: UInt64) throws(Errno) -> RecordLog.Position? {
    var position: RecordLog.Position?
    try log?.scan { _, _, after in
      if after.blocks > blocks { return false }
      position = after
      return true
    }
    return position
  }

  /// The journal was believed to name more blocks than it has good records of. Without it the next opening reads the
  /// bytes instead.
  private func forgetDamagedJournal() throws(Errno) -> Errno {
    log = nil
    try removeJournal()
    return .stale
  }

  // MARK: Receiving

  /// Cuts the stage to the prefix that the sender names and makes room for the rest.
  ///
  /// - Parameter claim: the sender's proof; without a match nothing is changed.
  /// - Returns: false when that room is not reserved: it is for one write, or the file system cannot.
  @discardableResult
  package func resume(at claim: PrefixProof) throws(StoreError) -> Bool {
    guard claim.bytes <= received, AgreedPrefix(ours: try rewind(to: claim.bytes), theirs: claim) != nil else {
      throw StoreError(.digestMismatch)
    }
    if let data { try requireUntouched(data) }
    do throws(Errno) {
      return try cutToReceived()
    } catch {
      throw error == .busy ? StoreError(.locked) : StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Moves back to an earlier offset and names what is before it; the disk is not changed until `resume`.
  package func rewind(to bytes: UInt64) throws(StoreError) -> PrefixProof {
    require(bytes <= received, "a stage moves back, not forward")
    do throws(Errno) {
      if bytes < received { try seek(to: bytes) }
    } catch {
      throw StoreError(error, otherwise: .seekFailed)
    }
    return proof
  }

  /// Moves back: `chain` and `hasher` describe the first `bytes` bytes afterwards. The disk is not changed.
  private func seek(to bytes: UInt64) throws(Errno) {
    let blocks = geometry.wholeBlocks(in: bytes)
    if blocks < chain.blocks {
      let shorter = try readChain(blocks: blocks)
      guard shorter.blocks == blocks else { throw try forgetDamagedJournal() }
      chain = shorter
    }
    hasher.reset()
    ahead = nil
    unrecorded = nil
    received = bytes
    if geometry.tail(of: bytes) > 0, let data { try hashTail(data, to: bytes) }
    guard received == bytes else { throw .inputOutput }
  }

  private func cutToReceived() throws(Errno) -> Bool {
    let isNew = data == nil
    let file: any File
    if let data { file = data } else { file = try makeData() }
    data = file
    durable = min(durable, received)
    // The journal first: it must never vouch for bytes that are about to be replaced. One that says too much is written
    // anew: cut, it could be left without what it says of the blocks that stay.
    if journalIsForeign || (log?.position.blocks ?? 0) > chain.blocks {
      try rewriteJournal()
      // Where names reach the disk in any order, the journal of an earlier file of this name could come back with a
      // power cut and vouch for this one.
      if log == nil, header.size >= geometry.blockSize { try location.directory.sync() }
    } else if let log {
      try enter(.checkpoint(durable: durable), in: log)
      do throws(Errno) {
        try log.sync()
        // The process that made the files may have been killed before it synced their names.
        try syncNames()
      } catch {
        distrust()
        throw error
      }
    }
    isWriting = true
    writebackBegun = received
    if !isNew { try file.truncate(to: received) }
    let missing = header.size - min(received, header.size)
    // One write finds out as soon whether there is room for so little.
    var isReserved = missing == 0
    do throws(Errno) {
      if missing > Limits.shortFileMax { isReserved = try file.reserve(from: received, count: missing) }
    } catch {
      // No room is no reason to read everything again the next time.
      try noteChange(of: file)
      throw error
    }
    try noteChange(of: file)
    if let log { try enter(.session(boot: boot.id), in: log) }
    return isReserved
  }

  private func makeData() throws(Errno) -> any File {
    // Nearly always whole and committed at once: until then it is in nobody's way in the folder of all stages.
    if header.size <= Limits.shortFileMax, let file = try location.directory.openNameless(permissions: sealedMode)
    {
      isNameless = true
      return file
    }
    isNameless = false
    let file: any File
    do throws(Errno) {
      file = try location.directory.openFile(location.dataName, .createNew, permissions: Self.ownerMode)
    } catch { throw error == .exists ? .busy : error }
    knownStamp = try claim(file).key.stamp
    return file
  }

  /// For a short file that is to outlive this process, or that a rename has to put into its place. What syncs it next has
  /// to change its attributes before: ext4 without a journal does not count a first name among the changes that a sync
  /// of the file is for.
  func nameData() throws(StoreError) {
    guard isNameless, let data else { return }
    do throws(Errno) {
      // Before anybody can find it.
      guard try data.tryLock() else { throw .busy }
      // One of an earlier file of this name, see `rewriteJournal`; not that of a stage which another program has begun.
      guard try !location.directory.has(location.dataName) else { throw .exists }
      try removeIfThere(location.journalName)
      // Until it is finished it is its owner's only.
      try data.setMode(Self.ownerMode)
      try location.directory.link(data, as: location.dataName)
      isNameless = false
      knownStamp = try stamp(data)
    } catch {
      throw error == .busy || error == .exists ? StoreError(.locked) : StoreError(error, otherwise: .writeFailed)
    }
  }

  /// After a change of our own.
  private func noteChange(of file: any File) throws(Errno) {
    if !isNameless { knownStamp = try stamp(file) }
  }

  /// Throws when somebody else wrote to the stage while it was ours. The stamps in the journal stay the old
  /// ones then, so the next opening reads all bytes again.
  private func requireUntouched(_ file: any File) throws(StoreError) {
    if isNameless { return }
    let now: UInt64
    do throws(Errno) { now = try stamp(file) } catch { throw StoreError(error, otherwise: .readFailed) }
    guard now == knownStamp else { throw StoreError(.changed) }
  }

  /// Writes the journal anew under the declaration that holds now, with the blocks that are kept.
  private func rewriteJournal() throws(Errno) {
    journalIsForeign = false
    guard let old = log else {
      // A journal nobody could read would only be mistaken for this one. Nearly always there is none, and of one that
      // was to take its place even less: a small file has no time to look for that.
      if !isNameless { try removeIfThere(location.journalName) }
      return
    }
    let stamp = knownStamp ?? 0
    let blocks = chain.blocks
    let coveredBlocks = geometry.wholeBlocks(in: durable)
    let new = try replaceJournal { (new) throws(Errno) in
      // The checkpoint stands right behind what it covers: whoever has to cut off the rest leaves it where it is.
      func append(_ record: Record) throws(Errno) {
        try new.append(record, stamp: stamp)
        if case .block = record, new.position.blocks == coveredBlocks {
          try new.append(.checkpoint(durable: durable), stamp: stamp)
        }
      }
      try append(.session(boot: boot.id))
      if coveredBlocks == 0 { try append(.checkpoint(durable: durable)) }
      var failure: Errno?
      try old.scan { record, _, after in
        guard after.blocks <= blocks else { return false }
        switch record {
        case .block, .md5: do throws(Errno) { try append(record) } catch { failure = error }
        case .checkpoint, .session, .name: break
        }
        return failure == nil
      }
      if let failure { throw failure }
      guard new.position.blocks == blocks else { throw try forgetDamagedJournal() }
    }
    try syncNames()
    log = new
    restated = 0
  }

  /// Hashes and writes `pieces`.
  ///
  /// - Parameters:
  ///   - offset: where they belong: behind everything that came or, piece by piece, in a block that was damaged.
  ///   - blockDigest: of the whole block, when the pieces end one.
  package func append(
    _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64, blockDigest: Digest?
  ) throws(StoreError) -> OnAppend {
    try append(pieces, at: offset, blockDigest: blockDigest, isUnproved: false)
  }

  /// As above, behind what is there, for a sender that has no digests: the block's is made of what came.
  package func append(unproved pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>) throws(StoreError) {
    _ = try append(pieces, at: received, blockDigest: nil, isUnproved: true)
  }

  private func append(
    _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64, blockDigest: Digest?, isUnproved: Bool
  ) throws(StoreError) -> OnAppend {
    guard let data else { panic("a stage is resumed before it is written") }
    try requireUntouched(data)
    let front = written
    require(offset == front || ahead != nil && offset < front, "pieces leave no gap")
    let hasher = offset < front ? ahead?.hasher ?? self.hasher : self.hasher
    var end = offset
    for piece in pieces {
      hasher.update(piece)
      end += UInt64(piece.count)
    }
    require(end <= geometry.blockEnd(offset, fileSize: header.size), "pieces do not cross a block")
    if let blockDigest, hasher.digest() != blockDigest {
      hasher.reset()
      let start = geometry.blockStart(end - 1)
      if offset == front { leaveOut(blockFrom: start, to: end) }
      return .damaged(blockStart: start)
    }
    do throws(Errno) {
      isWriteTorn = true
      if pieces.count == 1, end - offset >= UInt64(Limits.dataPayloadMax) {
        try data.writeUncached(pieces[0], at: offset)
      } else {
        try data.write(pieces, at: offset)
      }
      isWriteTorn = false
      try noteChange(of: data)
      if let ahead {
        try didStore(to: end, blockDigest, isRepeat: offset < front, ahead)
      } else {
        received = end
        if let blockDigest {
          try finishBlock(blockDigest)
        } else if isUnproved, end == geometry.blockEnd(end - 1, fileSize: header.size) {
          try finishBlock(hasher.digest())
        }
      }
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
    try paceWriteback(data)
    return .stored
  }

  private func updateRoom() { room?.update(remaining: header.size - min(written, header.size)) }

  /// A block is not what the sender read.
  private func leaveOut(blockFrom start: UInt64, to end: UInt64) {
    if ahead == nil {
      received = start
      durable = min(durable, start)
    }
    let ahead = ahead ?? Ahead()
    ahead.end = end
    ahead.digests.append(nil)
    self.ahead = ahead
  }

  /// Bytes up to `end` are on disk while a block before them is missing, or was until now.
  private func didStore(to end: UInt64, _ blockDigest: Digest?, isRepeat: Bool, _ ahead: Ahead) throws(Errno) {
    if !isRepeat {
      ahead.end = end
      updateRoom()
    }
    guard let blockDigest else { return }
    let isShort = geometry.tail(of: end) > 0
    switch (isRepeat, isShort) {
    case (false, false):
      ahead.digests.append(blockDigest)
      hasher.reset()
    case (false, true): break
    case (true, false):
      ahead.digests[Int((end - received) / geometry.blockSize) - 1] = blockDigest
      ahead.hasher.reset()
    case (true, true):
      // The whole file's proof takes it from the stage's hasher, like one that arrived well.
      ahead.digests.removeLast()
      let last = ahead.hasher
      ahead.hasher = hasher
      hasher = last
    }
    while let first = ahead.digests.first, let digest = first {
      ahead.digests.removeFirst()
      received += geometry.blockSize
      try record(digest)
    }
    guard ahead.digests.isEmpty else { return }
    received = ahead.end
    self.ahead = nil
  }

  /// Lets the disk begin with what was written last, and waits for what was before that.
  private func paceWriteback(_ data: any File) throws(StoreError) {
    let begun = min(writebackBegun, written)
    guard written - begun >= Limits.writebackStep else { return }
    data.startWriteback(from: begun, count: written - begun)
    writebackBegun = written
    let before = begun - min(begun, Limits.writebackStep)
    guard before < begun else { return }
    // An error is told once: here, and not to the next checkpoint.
    try mark(data)
    try syncOrDistrust { () throws(Errno) in try data.waitForWriteback(from: before, count: begun - before) }
    do throws(Errno) {
      if let log { try enter(.session(boot: boot.id), in: log) }
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Before the disk is asked whether it has what was written: if it has not, memory holds what it lacks, and this
  /// process may be killed before it can say so. Until the next record the data looks like written by somebody else,
  /// and nobody takes it up without reading it.
  private func mark(_ data: any File) throws(StoreError) {
    // A second time would undo it.
    if isMarked { return }
    do throws(Errno) {
      let before = try data.status()
      let (seconds, nanoseconds) = (before.modified.seconds, before.modified.nanoseconds)
      try data.setModified(Timestamp(seconds: seconds, nanoseconds: nanoseconds ^ 1))
      var marked = try stamp(data)
      if marked == before.key.stamp {
        // Some file systems keep every other second only.
        try data.setModified(Timestamp(seconds: seconds ^ 2, nanoseconds: nanoseconds))
        marked = try stamp(data)
      }
      knownStamp = marked
      isMarked = true
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// The block before `received` is whole.
  private func finishBlock(_ digest: Digest) throws(Errno) {
    // The last, short block stays in the hasher: a proof of the whole file chains it as its tail.
    guard geometry.tail(of: received) == 0 else { return }
    defer { hasher.reset() }
    try record(digest)
  }

  private func record(_ digest: Digest) throws(Errno) {
    defer { chain.append(digest) }
    // A file of one block is committed at once; a journal for it would only wear the flash. One that has to wait for
    // that gets its journal with the checkpoint.
    if log == nil, isWriting, received == header.size {
      unrecorded = digest
      return
    }
    try enter(.block(digest), in: journal())
  }

  /// Writes the next record and, every so often, what the ones before it say together.
  private func enter(_ record: Record, in log: RecordLog) throws(Errno) {
    let stamp = knownStamp ?? 0
    // A block whose record failed is in the chain only.
    if log.records - restated >= JournalEvidence.restatementInterval, log.position.blocks == chain.blocks {
      try log.append(.name(chain.digest), stamp: stamp)
      try log.append(.session(boot: boot.id), stamp: stamp)
      try log.append(.checkpoint(durable: durable), stamp: stamp)
      restated = log.records
    }
    try log.append(record, stamp: stamp)
    isMarked = false
  }

  /// The journal, made now if there was none.
  private func journal() throws(Errno) -> RecordLog {
    if let log { return log }
    require(!isNameless, "a journal is of data that can be found")
    let log = try RecordLog(newFile(location.journalName), newHeader: header.encoded())
    restated = 0
    try enter(.session(boot: boot.id), in: log)
    if let unrecorded { try enter(.block(unrecorded), in: log) }
    journalIsForeign = false
    self.log = log
    return log
  }

  private func stamp(_ file: any File) throws(Errno) -> UInt64 { try file.status().key.stamp }

  /// Makes everything received survive a power cut: data, then journal, then the names of both.
  /// Only after it returns may the bytes be acknowledged as durable.
  package func checkpoint() throws(StoreError) {
    guard let data else { return }
    try nameData()
    try requireUntouched(data)
    try mark(data)
    try syncOrDistrust { () throws(Errno) in try data.syncData() }
    let log: RecordLog
    let covered: UInt64
    do throws(Errno) {
      log = try journal()
      // A block whose record failed is known to nobody: a journal that called it durable would not be believed at all.
      covered = log.position.blocks < chain.blocks ? log.position.blocks * geometry.blockSize : received
      try enter(.checkpoint(durable: covered), in: log)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
    try syncOrDistrust { () throws(Errno) in
      try log.sync()
      try syncNames()
    }
    durable = covered
    ahead?.synced = written
  }

  private func syncNames() throws(Errno) {
    guard !nameIsDurable else { return }
    try location.directory.sync()
    nameIsDurable = true
  }

  private func syncOrDistrust(_ sync: () throws(Errno) -> Void) throws(StoreError) {
    do throws(Errno) {
      try sync()
    } catch {
      distrust()
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// After a failed sync the kernel holds pages that say one thing and a disk that says another, and
  /// the next sync would lie: nothing behind the last checkpoint is believed again.
  private func distrust() {
    ahead = nil
    received = durable
    if isNameless { return data = nil }
    // From now on it looks like written by somebody else, so that nobody takes it up without reading it.
    if let data { _ = succeeds { () throws(StoreError) in try mark(data) } }
    // Then at once: whoever takes the stage up after a kill in the middle of this reads what the disk has.
    data?.dropCached()
    // Each step by itself: a disk that has just failed may fail at one of these, too.
    let kept = succeeds { () throws(Errno) in try recordedDigests(geometry.wholeBlocks(in: durable)) }
    if let data, durable > 0 {
      _ = succeeds { () throws(Errno) in try data.truncate(to: durable) }
    }
    if let data, let kept, durable > 0, succeeds({ () throws(Errno) in try recordAnew(kept, of: data) }) != nil {
      // It has taken the place of the old one.
      _ = succeeds { () throws(Errno) in try location.directory.sync() }
    } else {
      // Not only cut short: what is left of it in memory may not be on the disk either.
      _ = succeeds { () throws(Errno) in try removeJournal() }
      // The next try makes a new file, and so has a new name to sync.
      if durable == 0, succeeds({ () throws(Errno) in try removeIfThere(location.dataName) }) == nil, let data {
        _ = succeeds { () throws(Errno) in try data.truncate(to: 0) }
      }
    }
    data = nil
    log = nil
  }

  /// nil when it throws.
  private func succeeds<Value, Failure: Error>(_ step: () throws(Failure) -> Value) -> Value? {
    do throws(Failure) { return try step() } catch { return nil }
  }

  private func recordedDigests(_ count: UInt64) throws(Errno) -> [Digest] {
    var digests: [Digest] = []
    try log?.scan { record, _, _ in
      if case .block(let digest) = record, UInt64(digests.count) < count { digests.append(digest) }
      return UInt64(digests.count) < count
    }
    return digests
  }

  /// A new journal, of another inode, for what was durable before a sync failed: the next opening must know that
  /// it was.
  private func recordAnew(_ digests: [Digest], of data: any File) throws(Errno) {
    guard UInt64(digests.count) == geometry.wholeBlocks(in: durable) else { throw .stale }
    let stamp = try stamp(data)
    try replaceJournal { (log) throws(Errno) in
      try log.append(.session(boot: boot.id), stamp: stamp)
      for digest in digests { try log.append(.block(digest), stamp: stamp) }
      try log.append(.checkpoint(durable: durable), stamp: stamp)
    }
  }

  /// Puts another journal in the place of the present one, at once and with its content on stable storage. Its name is
  /// not there yet.
  @discardableResult
  private func replaceJournal(_ fill: (RecordLog) throws(Errno) -> Void) throws(Errno) -> RecordLog {
    let name = location.newJournalName
    do throws(Errno) {
      let log = try RecordLog(newFile(name), newHeader: header.encoded())
      try fill(log)
      try log.sync()
      try location.directory.rename(name, to: location.directory, as: location.journalName, replacing: true)
      return log
    } catch {
      _ = succeeds { () throws(Errno) in try removeIfThere(name) }
      throw error
    }
  }

  // MARK: What clients without digests need

  /// Calls `body` with each record of the journal and the blocks before it, until it returns false.
  func forEachRecord(_ body: (Record, _ blocks: UInt64) -> Bool) throws(Errno) {
    try log?.scan { record, _, after in body(record, after.blocks) }
  }

  /// Reads what is stored; throws when somebody else wrote to it meanwhile.
  func withUntouchedData(_ body: (any File) throws(Errno) -> Void) throws(StoreError) {
    guard let data else { throw StoreError(.readFailed) }
    do throws(Errno) { try body(data) } catch { throw StoreError(error, otherwise: .readFailed) }
    try requireUntouched(data)
  }

  /// Keeps the state of `md5`, which covers all that is received, if that is the end of a block.
  package func note(_ md5: RunningMD5) throws(StoreError) {
    require(md5.count == received, "an MD5 belongs to the bytes that it covers")
    guard let log, received > 0, geometry.tail(of: received) == 0 else { return }
    do throws(Errno) {
      try enter(.md5(md5.state), in: log)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Takes over the first `bytes` bytes of a finished file as the prefix of this one, at most about `budget` of them.
  /// Where the file system can, the two share their blocks. Returns true when all are here.
  ///
  /// - Parameters:
  ///   - source: its digests cover these bytes.
  ///   - md5: has gone by them.
  package func adopt(
    _ source: Source, _ md5: SourceMD5, bytes: UInt64, budget: UInt64
  ) throws(StoreError) -> Bool {
    guard let data else { panic("a stage is resumed before it is written") }
    require(source.geometry == geometry, "files share blocks of one size")
    try requireUntouched(data)
    let goal = min(bytes, received + max(budget, geometry.blockSize))
    do throws(Errno) {
      while received < goal {
        let end = geometry.blockEnd(received, fileSize: bytes)
        isWriteTorn = true
        try data.copy(from: source.file, at: received, count: end - received)
        isWriteTorn = false
        try noteChange(of: data)
        guard geometry.tail(of: end) == 0 else {
          try hashTail(data, to: end)
          continue
        }
        received = end
        guard let digest = try source.book.digests(from: chain.blocks, count: 1).first else { throw .stale }
        try finishBlock(digest)
        if let log, let state = try md5.state(behind: chain.blocks) { try enter(.md5(state), in: log) }
      }
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
    guard received == bytes else { return false }
    if try source.hasChanged() { throw StoreError(.changed) }
    return true
  }

  // MARK: Ending

  /// First step of a commit, but for `nameData`: the whole file is here, its digest agrees with the sender's, and it gets the
  /// sender's attributes. `CommitGroup` knows the order of the steps.
  func seal(_ claim: PrefixProof) throws(StoreError) {
    guard received == header.size, AgreedPrefix(ours: proof, theirs: claim) != nil else {
      throw StoreError(.digestMismatch)
    }
    guard let data else { panic("a stage is resumed before it is committed") }
    try requireUntouched(data)
    do throws(Errno) {
      try data.setModified(header.modified)
      var status = try data.status()
      if status.mode != sealedMode {
        try data.setMode(sealedMode)
        status = try data.status()
      }
      // As the file system keeps it: some round times to two seconds.
      sealedAs = status.modified
      // If this is as far as it gets, the next try finds it as we leave it.
      knownStamp = status.key.stamp
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Lets the disk begin with what `sync` will wait for.
  func startSync() { data?.startWriteback(from: 0, count: 0) }

  /// Second step: `sync` returns when the data is on stable storage.
  func sync(_ sync: (any File) throws(Errno) -> Void) throws(StoreError) {
    guard let data, let sealedAs else { panic("a stage is sealed before it is synced") }
    try syncOrDistrust { () throws(Errno) in try sync(data) }
    if isNameless { return }
    do throws(Errno) {
      // Syncing takes its time; a write by somebody else in between has left its mark.
      guard try data.status().modified == sealedAs else { throw .stale }
    } catch {
      throw StoreError(.changed, error)
    }
  }

  /// After the third step, for a mode that was not set before it.
  func syncMode() throws(StoreError) {
    guard sealedMode != header.mode, let data else { return }
    do throws(Errno) { try data.sync() } catch { throw StoreError(error, otherwise: .writeFailed) }
  }

  /// Third step: gives the file its name. It is durable when `syncMode` and a sync of `directory` have followed.
  ///
  /// - Parameter replacing: false fails with EXISTS when the name is taken.
  func install(in directory: any Directory, as name: [UInt8], replacing: Bool) throws(StoreError) -> FileStatus {
    guard let data, sealedAs != nil else { panic("a stage is sealed before it gets its name") }
    if isNameless {
      try link(data, in: directory, as: name, replacing: replacing)
    } else {
      try rename(data, to: directory, as: name, replacing: replacing)
    }
    isCommitted = true
    room = nil
    do throws(Errno) {
      if sealedMode != header.mode { try data.setMode(header.mode) }
      return try data.status()
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  private func link(_ data: any File, in directory: any Directory, as name: [UInt8], replacing: Bool) throws(StoreError) {
    do throws(Errno) {
      try directory.link(data, as: name)
    } catch {
      // Another program has just put a file there that is to be replaced: the next try knows.
      throw error == .exists && replacing ? StoreError(.changed, error) : StoreError(error, otherwise: .writeFailed)
    }
    isNameless = false
  }

  private func rename(
    _ data: any File, to directory: any Directory, as name: [UInt8], replacing: Bool
  ) throws(StoreError) {
    do throws(Errno) {
      // A name can have been given to another file while this one was written.
      guard try isNamed(data.status()) else { throw .stale }
    } catch {
      throw StoreError(.changed, error)
    }
    do throws(Errno) {
      try location.directory.rename(location.dataName, to: directory, as: name, replacing: replacing)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Last step, once the name is durable; until then a power cut can take it back, and the journal has to be there.
  /// Without one nothing of the file is left to be kept, and `close` has nothing to do.
  func letGo() {
    guard log != nil else { return data = nil }
    // Who has the receipt may begin the next file of this name at once. Its digests can still be read from the
    // journal; one that cannot be removed is swept by the next opening.
    _ = succeeds { () throws(Errno) in try removeJournal() }
  }

  /// It is finished, and nothing of it is open any more.
  package var isClosed: Bool { isCommitted && data == nil }

  /// Calls `body` with the digest of each block of the finished file, in order; with fewer when the journal is damaged.
  func forEachBlock(_ body: (Digest) -> Void) throws(Errno) {
    var blocks: UInt64 = 0
    try log?.scan { record, _, after in
      if case .block(let digest) = record { body(digest) }
      blocks = after.blocks
      return true
    }
    if blocks == chain.blocks, geometry.tail(of: received) > 0 { body(hasher.digest()) }
  }

  /// Adds to `book`, which is that of the finished file, the digests that it lacks: whoever has read the file since it
  /// has its name has made some. The first that cannot be written is the last; others are made by reading, when needed.
  package func complete(_ book: DigestBook) throws(Errno) {
    var known = book.blocks
    var isWritable = true
    try forEachBlock { digest in
      if known > 0 {
        known -= 1
      } else if isWritable {
        do throws(Errno) { try book.append(digest) } catch { isWritable = false }
      }
    }
  }

  /// Lets go of the files; what is there can be taken up again. An empty stage leaves nothing.
  package func close() throws(StoreError) {
    defer {
      data = nil
      log = nil
      room = nil
    }
    if isCommitted { return }
    guard let data else { return sweep() }
    if unread != nil { return }
    if received == 0 { return try discard() }
    guard isWriting else { return }
    try nameData()
    if !isWriteTorn { try requireUntouched(data) }
    do throws(Errno) {
      // Gives back the room that was reserved.
      try data.truncate(to: received)
      knownStamp = try stamp(data)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
    if !isWriteTorn { try checkpoint() }
  }

  /// Removes a journal without data: what a kill leaves that comes right after the data got its final name. Nothing
  /// is lost where that fails.
  private func sweep() {
    _ = succeeds { () throws(Errno) in
      if try !location.directory.has(location.dataName) { try removeJournal() }
    }
  }

  /// Removes both files.
  package func discard() throws(StoreError) {
    defer {
      // The lock goes last: nobody may take up what is about to be removed.
      data = nil
      log = nil
    }
    ahead = nil
    received = 0
    durable = 0
    if isNameless { return }
    do throws(Errno) {
      try removeJournal()
      try removeIfThere(location.dataName)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// And what a kill, or a disk that refused, left of one that was to take its place.
  private func removeJournal() throws(Errno) {
    _ = succeeds { () throws(Errno) in try removeIfThere(location.newJournalName) }
    try removeIfThere(location.journalName)
  }

  private func removeIfThere(_ name: [UInt8]) throws(Errno) {
    do throws(Errno) {
      try location.directory.remove(name)
    } catch {
      if error != .noEntry { throw error }
    }
  }
}

extension JournalHeader {
  /// For a stage of which only the bytes are left, or not even those.
  fileprivate static func undeclared(path: [UInt8], size: UInt64) -> JournalHeader {
    JournalHeader(
      blockSize: BlockGeometry(fileSize: size).blockSize, size: size,
      modified: Timestamp(seconds: 0, nanoseconds: 0), mode: 0o600, path: path)
  }
}
