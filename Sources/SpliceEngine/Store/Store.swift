// The folder that the daemon serves: finished files by name, unfinished ones and digests in .splice/.

package import SpliceBase
package import SpliceCore
package import SpliceSystem
package import SpliceWire

/// Everything the daemon does on disk, for any protocol: it knows paths, stages, digests and leases, and
/// nothing of frames or connections.
///
/// Immutable after `open`, so all threads may use it at once. All calls block: use threads of the pool.
///
///     ROOT/…                        finished files
///     ROOT/.splice/lock             held by the daemon that serves ROOT
///     ROOT/.splice/stage/ID.data    bytes of an unfinished upload; ID = digest of its path
///     ROOT/.splice/stage/ID.journal
///     ROOT/.splice/digests/INODE    block digests of a finished file
package final class Store: @unchecked Sendable {
  /// What may be written; nil for a store that may only be read.
  private struct Workshop {
    /// The folder of the others; the control socket goes there, too.
    let base: any Directory
    let lock: any File
    let stages: any Directory
    let digests: any Directory
  }

  package let boot: Boot
  package let leases = LeaseTable()
  private let space = SpaceLedger()
  private let root: any Directory
  private let workshop: Workshop?
  private let folders = DurableFolders()

  private init(root: any Directory, workshop: Workshop?, boot: Boot) {
    self.root = root
    self.workshop = workshop
    self.boot = boot
  }

  // MARK: Opening

  /// - Throws: BUSY when another daemon serves the same folder.
  package static func open(_ root: any Directory, isReadOnly: Bool, boot: Boot) throws(StoreError) -> Store {
    if isReadOnly { return Store(root: root, workshop: nil, boot: boot) }
    let lock: any File
    let workshop: Workshop
    do throws(Errno) {
      let base = try root.makePath([UInt8](WirePath.reservedName), permissions: 0o700)
      lock = try base.openFile([UInt8]("lock"), .create, permissions: 0o600)
      workshop = Workshop(
        base: base, lock: lock, stages: try base.makePath([UInt8]("stage"), permissions: 0o700),
        digests: try base.makePath([UInt8]("digests"), permissions: 0o700))
      // Whoever made them may have been killed before it synced them.
      try root.sync()
      try base.sync()
      guard try lock.tryLock() else { throw .busy }
    } catch {
      throw error == .busy ? StoreError(.busy) : StoreError(error, otherwise: .openFailed)
    }
    return Store(root: root, workshop: workshop, boot: boot)
  }

  /// Where things of the daemon's own may be kept; nil for a store that may only be read.
  package var ownFolder: (any Directory)? { workshop?.base }

  package var isReadOnly: Bool { workshop == nil }

  private func writable() throws(StoreError) -> Workshop {
    guard let workshop else { throw StoreError(.denied) }
    return workshop
  }

  /// 0 when it is not known.
  package func freeSpace() -> UInt64 {
    do throws(Errno) {
      let bytes = try root.freeSpace()
      return bytes == .max ? 0 : bytes
    } catch { return 0 }
  }

  // MARK: Receiving

  /// The stage of the upload to `path`: what an earlier try left, or an empty one. The caller holds the
  /// lease of the path.
  ///
  /// - Parameter origin: who sends it, for people.
  package func openStage(
    _ path: WirePath, size: UInt64, modified: Timestamp, mode: UInt32, origin: [UInt8]
  ) throws(StoreError) -> Stage {
    let header = declaration(path, size: size, modified: modified, mode: mode, origin: origin)
    return try openStage(path, declared: header)
  }

  /// As above, for a sender that has not said yet what the file is.
  package func openStage(_ path: WirePath) throws(StoreError) -> Stage { try openStage(path, declared: nil) }

  private func openStage(_ path: WirePath, declared: JournalHeader?) throws(StoreError) -> Stage {
    let location = stageLocation(Self.stageID(path), in: try writable().stages)
    return try Stage.open(location, declared: declared, path: path.bytes, boot: boot)
  }

  package func declaration(
    _ path: WirePath, size: UInt64, modified: Timestamp, mode: UInt32, origin: [UInt8]
  ) -> JournalHeader {
    JournalHeader(
      blockSize: BlockGeometry(fileSize: size).blockSize, size: size, modified: modified,
      // Who may write a file here must not be able to make one that runs as somebody else.
      mode: mode & 0o777, path: path.bytes, origin: origin)
  }

  private func stageLocation(_ id: [UInt8], in stages: any Directory) -> Stage.Location {
    Stage.Location(
      directory: stages, dataName: id + [UInt8](Self.dataSuffix), journalName: Self.journalName(of: id))
  }

  /// What is at `path` already; nil when nothing is, or only directories on the way are missing.
  ///
  /// - Throws: IS_DIRECTORY when a file can never go there.
  package func existing(_ path: WirePath) throws(StoreError) -> FileStatus? {
    let status: FileStatus
    do throws(Errno) {
      status = try root.status(path.bytes, followLinks: true)
    } catch {
      if error == .noEntry { return nil }
      throw StoreError(error, otherwise: .openFailed)
    }
    if status.kind == .directory { throw StoreError(.isDirectory) }
    return status
  }

  /// Begins to write `stage` behind the prefix that the sender names, with room for the rest of it.
  ///
  /// Looks before the room is taken and again afterwards: two uploads that come at once see each other then.
  /// Where nothing is reserved all is free until it is written; there a ledger knows better.
  /// - Parameter leavingFree: bytes of the file system that stay free.
  /// - Throws: NOSPACE before a byte was sent in vain; closing the stage gives back what it took.
  package func resume(_ stage: Stage, at claim: PrefixProof, leavingFree: UInt64) throws(StoreError) {
    let needed = stage.header.size - min(claim.bytes, stage.header.size)
    if leavingFree > 0 { try requireFree(needed, leaving: leavingFree) }
    if try stage.resume(at: claim) {
      if leavingFree > 0 { try requireFree(0, leaving: leavingFree) }
    } else if needed > 0 {
      // Promised first and looked at then: of two that come at once, the second sees the first.
      let room = SpacePromise(space, bytes: needed)
      try requireFree(room.total, leaving: leavingFree)
      stage.room = room
    }
  }

  private func requireFree(_ bytes: UInt64, leaving: UInt64) throws(StoreError) {
    let (wanted, overflow) = bytes.addingReportingOverflow(leaving)
    let free: UInt64
    do throws(Errno) { free = try root.freeSpace() } catch { throw StoreError(error, otherwise: .writeFailed) }
    guard !overflow, free >= wanted else { throw StoreError(.noSpace) }
  }

  /// Fails with DENIED when `path` could not get its name, as far as that can be told before it is tried.
  package func requireWritable(_ path: WirePath) throws(StoreError) {
    do throws(Errno) {
      var folder = path.parent
      while true {
        do throws(Errno) {
          return try root.openDirectory(folder).requireWritable()
        } catch {
          guard error == .noEntry, !folder.isEmpty else { throw error }
        }
        folder = WirePath(folder)?.parent ?? []
      }
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// What it takes to give a whole stage its name. Makes the directories on the way.
  package func planCommit(
    _ stage: Stage, to path: WirePath, in open: inout CommitFolders, claim: PrefixProof, replacing: Bool
  ) throws(StoreError) -> CommitPlan {
    _ = try writable()
    do throws(Errno) {
      let parent = path.parent
      let directory = try open.folder(at: parent) { () throws(Errno) in
        let directory = try root.makePath(parent, permissions: 0o755)
        try folders.makeDurable(parent, below: root)
        return directory
      }
      return CommitPlan(
        stage: stage, claim: claim, directory: directory, name: path.name, isReplacing: replacing)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// What it takes to make a file that is there, and its name, survive a power cut. Another program may have put it
  /// there, or a daemon that died between the rename and the sync of the directory.
  ///
  /// - Parameter file: when it is open already.
  package func planKeeping(
    _ path: WirePath, _ file: (any File)?, in open: inout CommitFolders
  ) throws(StoreError) -> KeepPlan {
    do throws(Errno) {
      let parent = path.parent
      let directory = try open.folder(at: parent) { () throws(Errno) in
        let directory = try root.openDirectory(parent)
        try folders.makeDurable(parent, below: root)
        return directory
      }
      if let file { return KeepPlan(file: file, directory: directory) }
      // By the whole path: a link leads no further than its own folder otherwise.
      return KeepPlan(file: try root.openFile(path.bytes, .read, permissions: 0), directory: directory)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// After a commit: the journal's digests become those of the finished file, so that nobody has to read it
  /// again for them. The receipt does not depend on it.
  package func keepDigests(of stage: Stage, _ status: FileStatus, _ path: WirePath) {
    guard let workshop, status.size > stage.geometry.blockSize else { return }
    do throws(Errno) {
      let book = try DigestBook(status.key, in: workshop.digests, path: path.bytes)
      try stage.complete(book)
      try keepMD5(of: stage, status, path, in: workshop)
    } catch {
      // The file is safe and named; digests can be made again.
    }
  }

  /// The states from the first block on, without a gap: those behind one are made again when somebody asks.
  private func keepMD5(
    of stage: Stage, _ status: FileStatus, _ path: WirePath, in workshop: Workshop
  ) throws(Errno) {
    var book: DigestBook?
    var failure: Errno?
    try stage.forEachRecord { record, blocks in
      let kept = book?.blocks ?? 0
      guard case .md5(let state) = record else { return blocks <= kept + 1 }
      guard blocks == kept + 1 else { return blocks <= kept }
      do throws(Errno) {
        if book == nil { book = try DigestBook(status.key, .md5, in: workshop.digests, path: path.bytes) }
        try book?.append(state)
      } catch { failure = error }
      return failure == nil
    }
    if let failure { throw failure }
  }

  /// Makes a file that is there, and its name, survive a power cut. Another program may have put it there, or
  /// a daemon that died between the rename and the sync of the directory.
  package func makeDurable(_ path: WirePath) throws(StoreError) {
    do throws(Errno) {
      try root.openFile(path.bytes, .read, permissions: 0).sync()
      try root.openDirectory(path.parent).sync()
      try folders.makeDurable(path.parent, below: root)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Makes a directory and those above it, durably. One that is there already is fine.
  package func makeDirectory(_ path: WirePath) throws(StoreError) {
    _ = try writable()
    do throws(Errno) {
      _ = try root.makePath(path.bytes, permissions: 0o755)
      try folders.makeDurable(path.bytes, below: root)
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  // MARK: Sending

  /// Opens a finished file to send it.
  package func openSource(_ path: WirePath) throws(StoreError) -> Source {
    do throws(Errno) {
      let file = try root.openFile(path.bytes, .read, permissions: 0)
      let status = try file.status()
      switch status.kind {
      case .regular: return Source(file, status, book(for: status, path))
      case .directory: throw .isDirectory
      case .symbolicLink, .other: throw .notSupported
      }
    } catch {
      throw StoreError(error, otherwise: .openFailed)
    }
  }

  /// MD5 of the first part of a finished file.
  package func md5(of source: Source, _ path: WirePath) -> SourceMD5 {
    SourceMD5(source, book(for: source.status, path, .md5))
  }

  /// A missing folder for books, or a damaged book, costs reading the file again, never the transfer.
  private func book(
    for status: FileStatus, _ path: WirePath, _ kind: BookKind = .digests, mayCreate: Bool = true
  ) -> DigestBook {
    guard let workshop, status.size > BlockGeometry(fileSize: status.size).blockSize else {
      return DigestBook(inMemory: status.key)
    }
    do throws(Errno) {
      return try DigestBook(status.key, kind, in: workshop.digests, path: path.bytes, mayCreate: mayCreate)
    } catch {
      return DigestBook(inMemory: status.key)
    }
  }

  // MARK: Looking and removing

  package func information(_ path: WirePath) throws(StoreError) -> Information {
    let status: FileStatus?
    do throws(Errno) {
      status = try root.status(path.bytes, followLinks: true)
    } catch {
      guard error == .noEntry else { throw StoreError(error, otherwise: .openFailed) }
      status = nil
    }
    let partial = path.isRoot ? 0 : partialReceived(path)
    guard let status else {
      if partial == 0 { throw StoreError(.notFound) }
      return Information(
        kind: .other, mode: 0, size: 0, modified: Timestamp(seconds: 0, nanoseconds: 0), version: 0,
        proof: .zero, partialReceived: partial)
    }
    var proof = Digest.zero
    if status.kind == .regular {
      let known = book(for: status, path, mayCreate: false)
      if known.isComplete { proof = known.chain.digest }
    }
    return Information(
      kind: status.kind.entryKind, mode: status.mode, size: status.size, modified: status.modified,
      version: status.key.stamp, proof: proof, partialReceived: partial)
  }

  private func partialReceived(_ path: WirePath) -> UInt64 {
    guard let workshop else { return 0 }
    do throws(Errno) {
      return try workshop.stages.status(
        Self.stageID(path) + [UInt8](Self.dataSuffix), followLinks: false
      ).size
    } catch { return 0 }
  }

  /// Removes a file, an empty directory, and what is unfinished under that name. The caller holds the lease.
  package func remove(_ path: WirePath) throws(StoreError) {
    let workshop = try writable()
    guard !path.isRoot else { throw StoreError(.badPath) }
    var hadPartial = false
    do throws(Errno) {
      hadPartial = try removePartial(Self.stageID(path), in: workshop.stages)
      let directory = try root.openDirectory(path.parent)
      if try directory.status(path.name, followLinks: false).kind == .directory {
        try directory.removeDirectory(path.name)
        folders.forget()
      } else {
        try directory.remove(path.name)
      }
      try directory.sync()
    } catch {
      if error == .noEntry, hadPartial { return }
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Removes what is unfinished under a name, and leaves what is finished. The caller holds the lease.
  package func discardPartial(_ path: WirePath) throws(StoreError) {
    let workshop = try writable()
    do throws(Errno) {
      guard try removePartial(Self.stageID(path), in: workshop.stages) else { throw .noEntry }
    } catch {
      throw StoreError(error, otherwise: .writeFailed)
    }
  }

  /// Returns false when there is none.
  private func removePartial(_ id: [UInt8], in stages: any Directory) throws(Errno) -> Bool {
    let location = stageLocation(id, in: stages)
    // Nobody misses it, and the next sweep finds it.
    do throws(Errno) { try stages.remove(location.newJournalName) } catch {}
    var found = false
    for name in [location.journalName, location.dataName] {
      do throws(Errno) {
        try stages.remove(name)
        found = true
      } catch { if error != .noEntry { throw error } }
    }
    return found
  }

  package func partials(now: Timestamp) throws(StoreError) -> PartialReader {
    PartialReader(try writable().stages, leases, nowSeconds: now.seconds)
  }

  package func reader(_ path: WirePath) throws(StoreError) -> ListReader {
    do throws(Errno) {
      return try ListReader(root, path)
    } catch {
      throw StoreError(error, otherwise: .openFailed)
    }
  }

  // MARK: Sweeping

  /// Removes partials that have expired and files in the workshop that belong to nothing. Returns how many
  /// partials went.
  package func sweep(_ expiry: PartialExpiry, now: Instant, wall: Timestamp) -> Int {
    guard let workshop else { return 0 }
    var removed = 0
    do throws(Errno) {
      let reader = try workshop.stages.reader()
      while let entry = try reader.next() {
        guard let id = Self.stageID(ofData: entry.name) else {
          try sweepOrphan(entry.name, in: workshop.stages)
          continue
        }
        guard !leases.isStageHeld(id) else { continue }
        let journal = id + [UInt8](Self.journalSuffix)
        let touched = try lastTouched(data: entry.name, journal: journal, in: workshop.stages)
        switch expiry.verdict(touched: touched, now: now, wall: wall) {
        case .keep: break
        case .startOver:
          // The journal's time, not the data's: that one is part of what the journal vouches for.
          try workshop.stages.openFile(journal, .create, permissions: 0o600).setModified(wall)
        case .remove:
          _ = try removePartial(id, in: workshop.stages)
          removed += 1
        }
      }
      try sweepBooks(workshop.digests)
    } catch {
      // A sweep that could not finish goes on at the next one.
    }
    return removed
  }

  /// The later of the two files' times.
  private func lastTouched(
    data: [UInt8], journal: [UInt8], in directory: any Directory
  ) throws(Errno) -> Timestamp {
    let modified = try directory.status(data, followLinks: false).modified
    do throws(Errno) {
      let other = try directory.status(journal, followLinks: false).modified
      return other.seconds > modified.seconds ? other : modified
    } catch {
      guard error == .noEntry else { throw error }
      return modified
    }
  }

  /// A journal whose data is gone, or a half-written new journal.
  private func sweepOrphan(_ name: [UInt8], in directory: any Directory) throws(Errno) {
    let id = Array(name.prefix(2 * 16))
    if leases.isStageHeld(id) { return }
    if try !directory.has(id + [UInt8](Self.dataSuffix)) { try directory.remove(name) }
  }

  /// Removes the digests of files that are gone or were changed.
  private func sweepBooks(_ folder: any Directory) throws(Errno) {
    let reader = try folder.reader()
    while let entry = try reader.next() {
      let file = try folder.openFile(entry.name, .read, permissions: 0)
      if let (_, bytes) = try RecordLog.open(file), let header = BookHeader(bytes) {
        do throws(Errno) {
          if try root.status(header.path, followLinks: true).key == header.key { continue }
        } catch { if error != .noEntry { continue } }
      }
      try folder.remove(entry.name)
    }
  }

  // MARK: Names

  private static let dataSuffix: StaticString = ".data"
  private static let journalSuffix: StaticString = ".journal"

  static func journalName(of id: [UInt8]) -> [UInt8] { id + [UInt8](journalSuffix) }

  /// Nil when the name is not that of a stage's data.
  static func stageID(ofData name: [UInt8]) -> [UInt8]? {
    name.ends(with: dataSuffix) ? Array(name.dropLast(dataSuffix.utf8CodeUnitCount)) : nil
  }

  /// The names of a stage are derived from its destination, so that any protocol and any client finds it.
  package static func stageID(_ path: WirePath) -> [UInt8] {
    var digest: [UInt8] = []
    BlockHasher.digest(of: path.bytes).append(to: &digest, count: 16)
    var id: [UInt8] = []
    id.append(hexOf: digest)
    return id
  }
}

extension FileKind {
  package var entryKind: EntryKind {
    switch self {
    case .regular: .file
    case .directory: .directory
    case .symbolicLink, .other: .other
    }
  }
}

/// Reads one directory a message at a time.
package final class ListReader {
  private let root: any Directory
  private let path: WirePath
  private let directory: any Directory
  private var reader: (any DirectoryReader)?
  /// This directory and those on the way to it, once a link to a directory came up.
  private var line: [FileStatus] = []
  private var pager = EntryPager<ListEntry>()

  fileprivate init(_ root: any Directory, _ path: WirePath) throws(Errno) {
    self.root = root
    self.path = path
    directory = try root.openDirectory(path.bytes)
  }

  /// The next entries, as many as fit one message; the last message has `isLast`.
  package func next() throws(StoreError) -> (entries: [ListEntry], isLast: Bool) {
    do throws(Errno) {
      let reader: any DirectoryReader
      if let opened = self.reader { reader = opened } else { reader = try directory.reader() }
      self.reader = reader
      return try pager.next(size: { $0.encodedCount }) { () throws(Errno) in try nextEntry(reader) }
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
  }

  private func nextEntry(_ reader: any DirectoryReader) throws(Errno) -> ListEntry? {
    while let entry = try reader.next() {
      if path.isRoot, entry.name == WirePath.reservedName { continue }
      var isLink = false
      do throws(Errno) {
        var status = try directory.status(entry.name, followLinks: false)
        if status.kind == .symbolicLink {
          isLink = true
          status = try target(of: entry.name)
        }
        return ListEntry(
          kind: status.kind.entryKind, mode: status.mode, size: status.size, modified: status.modified,
          name: entry.name)
      } catch {
        // Gone since.
        if error == .noEntry, !isLink { continue }
        // Whoever fetches the folder passes over what is not served: that must not be a file the disk could not look at.
        guard isLink, error.isOfALink else { throw error }
        return ListEntry(
          kind: .other, mode: 0, size: 0, modified: Timestamp(seconds: 0, nanoseconds: 0), name: entry.name)
      }
    }
    return nil
  }

  /// What a link leads to, from the root, as when the peer asks for it: it may leave this directory.
  private func target(of name: [UInt8]) throws(Errno) -> FileStatus {
    let prefix = path.isRoot ? [] : path.bytes + [UInt8(ascii: "/")]
    let target = try root.status(prefix + name, followLinks: true)
    // Whoever walks the tree would come back here, and again, without an end.
    if target.kind == .directory, try isOnTheWay(target) { throw .loop }
    return target
  }

  private func isOnTheWay(_ other: FileStatus) throws(Errno) -> Bool {
    if line.isEmpty {
      line.append(try root.status([], followLinks: true))
      for (index, byte) in path.bytes.enumerated() where byte == UInt8(ascii: "/") {
        line.append(try root.status(Array(path.bytes[..<index]), followLinks: true))
      }
      if !path.isRoot { line.append(try directory.status([], followLinks: true)) }
    }
    return line.contains { $0.device == other.device && $0.inode == other.inode }
  }
}

extension Errno {
  /// A link that leads nowhere, in circles, out of the root or where this user may not look: it is there, but not served.
  fileprivate var isOfALink: Bool {
    switch self {
    case .noEntry, .notDirectory, .loop, .crossDevice, .nameTooLong, .accessDenied: true
    default: false
    }
  }
}
