// The digests of one finished file, kept so that nobody has to read it again to prove a prefix.

package import SpliceBase
package import SpliceCore
package import SpliceSystem

/// Block digests of one content of one file, from the first block on, as far as they were needed.
///
/// On disk it is a cache: it is never synced, and it is believed only for the very `FileKey` it was made
/// for. Two books of the same content may be extended at a time: both write the same bytes, and each can take over
/// what the other has written.
///
/// Behind every 64 blocks a record names all of them, so that opening a book and naming a prefix costs the same
/// for every size of file. Nothing is believed that does not agree with the record before it; where a book turns
/// out to be damaged it is only shorter from then on.
///
/// Blocking: call it on a thread of the pool, one job at a time.
package final class DigestBook {
  package let geometry: BlockGeometry
  /// The chain over all blocks in the book.
  package private(set) var chain: PrefixChain
  private let key: FileKey
  private static let groupSize: UInt64 = 64
  /// nil: the file has one block, or there is no folder for books; digests are kept in memory.
  private var log: RecordLog?
  private var memory: [Digest] = []
  /// The next record is a name.
  private var isNameDue = false

  /// A book that is kept nowhere.
  package init(inMemory key: FileKey) {
    self.key = key
    geometry = BlockGeometry(fileSize: key.size)
    chain = PrefixChain(geometry)
  }

  /// The book for `key` in `folder`: the one that is there, or a new one in place of one for other content.
  ///
  /// - Parameter path: where the file is, so that books of files that are gone can be found.
  package init(
    _ key: FileKey, _ kind: BookKind = .digests, in folder: any Directory, path: [UInt8], mayCreate: Bool = true
  ) throws(Errno) {
    self.key = key
    geometry = BlockGeometry(fileSize: key.size)
    chain = PrefixChain(geometry)
    let header = BookHeader(kind, blockSize: geometry.blockSize, key: key, path: path)
    if let log = try Self.existing(header, in: folder) {
      self.log = log
      try findEnd(log)
    } else if mayCreate {
      log = try Self.create(header, in: folder)
    }
  }

  // MARK: The records

  /// The place of the record of a block, counted in records.
  private static func index(of block: UInt64) -> UInt64 { block + block / groupSize }

  /// Finds the last good record behind the last name that is whole, or, without one, behind the first record.
  private func findEnd(_ log: RecordLog) throws(Errno) {
    let groups = try log.recordCount() / (Self.groupSize + 1)
    if groups > 0, let (named, position) = try readName(log, ofGroups: groups) {
      try read(log, from: position, behind: named)
    } else {
      try recheck()
    }
  }

  /// Reads all records, and is shorter afterwards when one of them is damaged.
  package func recheck() throws(Errno) {
    if let log { try read(log, from: nil, behind: PrefixChain(geometry)) }
  }

  /// Takes over what somebody else has appended to the same book meanwhile.
  package func catchUp() throws(Errno) {
    if let log { try read(log, from: log.position, behind: chain, isNamed: !isNameDue) }
  }

  /// Reads on to the last good record; appending goes on there.
  private func read(
    _ log: RecordLog, from first: RecordLog.Position?, behind named: PrefixChain, isNamed: Bool = true
  ) throws(Errno) {
    var chain = named
    var isNamed = isNamed
    var last = first
    try log.scan(from: first) { record, _, after in
      switch record {
      case .block(let digest) where isNamed || chain.blocks % Self.groupSize != 0:
        chain.append(digest)
        isNamed = false
      case .name(chain.digest) where !isNamed && chain.blocks % Self.groupSize == 0: isNamed = true
      default: return false
      }
      last = after
      return true
    }
    log.resume(at: last)
    self.chain = chain
    isNameDue = !isNamed && chain.blocks % Self.groupSize == 0
  }

  /// The chain over so many groups, and the place behind its record; nil when that is missing or damaged.
  private func readName(
    _ log: RecordLog, ofGroups groups: UInt64
  ) throws(Errno) -> (PrefixChain, RecordLog.Position?)? {
    let blocks = groups * Self.groupSize
    if blocks == 0 { return (PrefixChain(geometry), nil) }
    guard let place = try log.position(ofRecord: Self.index(of: blocks) - 1, blocks: blocks) else { return nil }
    var found: (PrefixChain, RecordLog.Position?)?
    try log.scan(from: place) { record, _, after in
      if case .name(let digest) = record {
        found = (PrefixChain(geometry, blocks: blocks, digest: digest), after)
      }
      return false
    }
    return found
  }

  private static func existing(_ header: BookHeader, in folder: any Directory) throws(Errno) -> RecordLog? {
    do throws(Errno) {
      let file = try folder.openFile(name(header), .readWrite, permissions: 0)
      guard let (log, bytes) = try RecordLog.open(file), let found = BookHeader(bytes), found.key == header.key,
        found.kind == header.kind
      else { return nil }
      return log
    } catch {
      if error == .noEntry { return nil }
      throw error
    }
  }

  /// Written under another name first: a book that somebody is reading is never cut.
  private static func create(_ header: BookHeader, in folder: any Directory) throws(Errno) -> RecordLog {
    let name = name(header)
    var temporary = name
    var salt: UInt64 = 0
    try withUnsafeMutableBytes(of: &salt) { (raw) throws(Errno) in try Host.fillRandom(raw) }
    temporary.append(".")
    withUnsafeBytes(of: salt) { temporary.append(hexOf: $0) }
    let log = try RecordLog(
      folder.openFile(temporary, .createNew, permissions: 0o600), newHeader: header.encoded())
    try folder.rename(temporary, to: folder, as: name, replacing: true)
    return log
  }

  /// One book an inode: the book of a file that was changed in place is replaced.
  private static func name(_ header: BookHeader) -> [UInt8] {
    var name: [UInt8] = []
    for value in [header.key.device, header.key.inode] {
      withUnsafeBytes(of: value.bigEndian) { name.append(hexOf: $0) }
    }
    if header.kind == .md5 { name.append(".md5") }
    return name
  }

  /// Blocks in the book, counting the last, short one.
  package var blocks: UInt64 { chain.blocks }

  package var isComplete: Bool { bytes == key.size }

  /// Bytes covered.
  package var bytes: UInt64 { min(chain.blocks * geometry.blockSize, key.size) }

  package func append(_ digest: Digest) throws(Errno) {
    if let log {
      if isNameDue { try log.append(.name(chain.digest), stamp: key.stamp) }
      isNameDue = false
      try log.append(.block(digest), stamp: key.stamp)
    } else {
      memory.append(digest)
    }
    chain.append(digest)
    isNameDue = chain.blocks % Self.groupSize == 0
  }

  // MARK: Reading

  /// Appends up to `count` digests, from block `first` on, to `digests`; fewer at the end of the book, or where
  /// it is damaged: then it ends there.
  package func read(from first: UInt64, count: Int, into digests: inout [Digest]) throws(Errno) {
    let first = min(first, blocks)
    let wanted = Int(clamping: min(UInt64(count), blocks - first))
    guard let log else { return digests.append(contentsOf: memory[Int(first)..<Int(first) + wanted]) }
    let end = digests.count + wanted
    if wanted > 0, let place = try log.position(ofRecord: Self.index(of: first), blocks: first) {
      try log.scan(from: place) { record, _, _ in
        if case .block(let digest) = record { digests.append(digest) }
        return digests.count < end
      }
    }
    if digests.count < end { try recheck() }
  }

  package func digests(from first: UInt64, count: Int) throws(Errno) -> [Digest] {
    var digests: [Digest] = []
    try read(from: first, count: count, into: &digests)
    return digests
  }

  /// The chain over the first `count` blocks; nil when the book has not so many, or turned out to be damaged.
  package func chain(ofBlocks count: UInt64) throws(Errno) -> PrefixChain? {
    if count == blocks { return chain }
    if count > blocks { return nil }
    var chain = PrefixChain(geometry)
    var rest: [Digest]
    if let log {
      guard let (named, _) = try readName(log, ofGroups: count / Self.groupSize) else {
        try recheck()
        return nil
      }
      chain = named
      rest = try digests(from: chain.blocks, count: Int(count - chain.blocks))
    } else {
      rest = Array(memory[..<Int(count)])
    }
    for digest in rest { chain.append(digest) }
    return chain.blocks == count ? chain : nil
  }

  /// Forgets everything: the file does not hold what the book says.
  package func clear() throws(Errno) {
    try log?.cut(at: nil)
    memory = []
    chain = PrefixChain(geometry)
    isNameDue = false
  }
}
