// The digests of one finished file, kept so that nobody has to read it again to prove a prefix.

package import SpliceBase
package import SpliceCore
package import SpliceSystem

/// Block digests of one content of one file, from the first block on, as far as they were needed.
///
/// On disk it is a cache: it is never synced, and it is believed only for the very `FileKey` it was made
/// for. Two books of the same content may be extended at a time: both write the same bytes.
///
/// Blocking: call it on a thread of the pool, one job at a time.
package final class DigestBook {
  package let geometry: BlockGeometry
  /// The chain over all blocks in the book.
  package private(set) var chain: PrefixChain
  private let key: FileKey
  /// nil: the file has one block, or there is no folder for books; digests are kept in memory.
  private var log: RecordLog?
  private var memory: [Digest] = []

  /// A book that is kept nowhere.
  package init(inMemory key: FileKey) {
    self.key = key
    geometry = BlockGeometry(fileSize: key.size)
    chain = PrefixChain(geometry)
  }

  /// The book for `key` in `folder`: the one that is there, or a new one in place of one for other content.
  ///
  /// - Parameter path: where the file is, so that books of files that are gone can be found.
  package init(_ key: FileKey, in folder: any Directory, path: [UInt8], mayCreate: Bool = true) throws(Errno) {
    self.key = key
    geometry = BlockGeometry(fileSize: key.size)
    var chain = PrefixChain(geometry)
    let header = BookHeader(blockSize: geometry.blockSize, key: key, path: path)
    if let log = try Self.existing(header, in: folder) {
      var last: RecordLog.Position?
      try log.scan { record, _, after in
        guard case .block(let digest) = record else { return false }
        chain.append(digest)
        last = after
        return true
      }
      log.resume(at: last)
      self.log = log
    } else if mayCreate {
      log = try Self.create(header, in: folder)
    }
    self.chain = chain
  }

  private static func existing(_ header: BookHeader, in folder: any Directory) throws(Errno) -> RecordLog? {
    do throws(Errno) {
      let file = try folder.openFile(name(header.key), .readWrite, permissions: 0)
      guard let (log, bytes) = try RecordLog.open(file), BookHeader(bytes)?.key == header.key else { return nil }
      return log
    } catch {
      if error == .noEntry { return nil }
      throw error
    }
  }

  /// Written under another name first: a book that somebody is reading is never cut.
  private static func create(_ header: BookHeader, in folder: any Directory) throws(Errno) -> RecordLog {
    let name = name(header.key)
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
  private static func name(_ key: FileKey) -> [UInt8] {
    var name: [UInt8] = []
    for value in [key.device, key.inode] {
      withUnsafeBytes(of: value.bigEndian) { name.append(hexOf: $0) }
    }
    return name
  }

  /// Blocks in the book, counting the last, short one.
  package var blocks: UInt64 { chain.blocks }

  package var isComplete: Bool { bytes == key.size }

  /// Bytes covered.
  package var bytes: UInt64 { min(chain.blocks * geometry.blockSize, key.size) }

  package func append(_ digest: Digest) throws(Errno) {
    if let log { try log.append(.block(digest), stamp: key.stamp) } else { memory.append(digest) }
    chain.append(digest)
  }

  /// Up to `count` digests from block `first` on; fewer at the end of the book.
  package func digests(from first: UInt64, count: Int) throws(Errno) -> [Digest] {
    if let log { return try log.blocks(from: first, count: count) }
    let start = Int(clamping: min(first, UInt64(memory.count)))
    return Array(memory[start..<min(start + count, memory.count)])
  }

  /// P(count - 1) for each of `blockCounts`, which rise; fewer when fewer blocks are in the book.
  package func chain(at blockCounts: [UInt64]) throws(Errno) -> [Digest] {
    if let log { return try log.chain(at: blockCounts, of: geometry) }
    var chain = PrefixChain(geometry)
    var digests: [Digest] = []
    for digest in memory where digests.count < blockCounts.count {
      chain.append(digest)
      if chain.blocks == blockCounts[digests.count] { digests.append(chain.digest) }
    }
    return digests
  }

  /// Forgets everything: the file does not hold what the book says.
  package func clear() throws(Errno) {
    try log?.cut(at: nil)
    memory = []
    chain = PrefixChain(geometry)
  }
}
