// The layout of digest files: a header, then records that check themselves and each other.
//
// Two kinds of file share it. A journal lies beside staged data and also says how far it is durable; a
// digest book lies in a cache and belongs to one content of one finished file.

package import SpliceBase
internal import SpliceWire

/// What a journal says about its transfer before any digest.
package struct JournalHeader: Equatable, Sendable {
  package static let magic: [UInt8] = [0x53, 0x50, 0x4C, 0x4A]  // SPLJ
  package static let version: UInt16 = 1

  package var blockSize: UInt64
  /// Of the whole file, as declared by the sender.
  package var size: UInt64
  package var modified: Timestamp
  package var mode: UInt32
  /// Where the file will be committed, below the root.
  package var path: [UInt8]
  /// Who began it, for people: an address, or nothing.
  package var origin: [UInt8]

  package init(
    blockSize: UInt64, size: UInt64, modified: Timestamp, mode: UInt32, path: [UInt8], origin: [UInt8] = []
  ) {
    self.blockSize = blockSize
    self.size = size
    self.modified = modified
    self.mode = mode
    self.path = path
    self.origin = origin
  }

  /// Whether both declare the same bytes for the same place, whoever sends them.
  package func isSameTransfer(as other: JournalHeader) -> Bool {
    blockSize == other.blockSize && size == other.size && modified == other.modified && mode == other.mode
      && path == other.path
  }

  /// The bytes at the head of the file. Records follow them.
  package func encoded() -> [UInt8] {
    RecordFile.header(magic: Self.magic, version: Self.version) { output in
      output.append(integer: blockSize)
      output.append(integer: size)
      output.append(modified)
      output.append(integer: mode)
      output.append(lengthPrefixed: path)
      output.append(lengthPrefixed: origin)
    }
  }

  /// nil when the header is damaged or of another version.
  package init?(_ file: [UInt8]) {
    guard var reader = RecordFile.reader(of: file, magic: Self.magic, version: Self.version) else { return nil }
    do throws(Truncated) {
      blockSize = try reader.integer()
      size = try reader.integer()
      modified = try reader.timestamp()
      mode = try reader.integer()
      path = try reader.lengthPrefixed()
      origin = try reader.lengthPrefixed()
    } catch { return nil }
    guard blockSize == BlockGeometry(fileSize: size).blockSize else { return nil }
  }
}

/// What makes one content of one file: when any of it differs, recorded digests are not believed.
package struct FileKey: Equatable, Sendable {
  package var device: UInt64
  package var inode: UInt64
  package var size: UInt64
  package var modified: Timestamp
  package var changed: Timestamp

  package init(device: UInt64, inode: UInt64, size: UInt64, modified: Timestamp, changed: Timestamp) {
    self.device = device
    self.inode = inode
    self.size = size
    self.modified = modified
    self.changed = changed
  }

  fileprivate func append(to output: inout [UInt8]) {
    output.append(integer: device)
    output.append(integer: inode)
    output.append(integer: size)
    output.append(modified)
    output.append(changed)
  }

  fileprivate init(_ reader: inout ByteReader) throws(Truncated) {
    device = try reader.integer()
    inode = try reader.integer()
    size = try reader.integer()
    modified = try reader.timestamp()
    changed = try reader.timestamp()
  }

  /// 64 bits that differ whenever the key does (up to chance). Also the `version` of the protocol.
  ///
  /// Made for every batch of an upload, so it allocates nothing.
  package var stamp: UInt64 {
    withUnsafeTemporaryAllocation(byteCount: 48, alignment: 8) { raw in
      raw.storeBytes(of: device.bigEndian, toByteOffset: 0, as: UInt64.self)
      raw.storeBytes(of: inode.bigEndian, toByteOffset: 8, as: UInt64.self)
      raw.storeBytes(of: size.bigEndian, toByteOffset: 16, as: UInt64.self)
      raw.storeBytes(of: modified.seconds.bigEndian, toByteOffset: 24, as: Int64.self)
      raw.storeBytes(of: modified.nanoseconds.bigEndian, toByteOffset: 32, as: UInt32.self)
      raw.storeBytes(of: changed.seconds.bigEndian, toByteOffset: 36, as: Int64.self)
      raw.storeBytes(of: changed.nanoseconds.bigEndian, toByteOffset: 44, as: UInt32.self)
      return BlockHasher.check(UnsafeRawBufferPointer(raw), seed: 0)
    }
  }
}

/// What a book has of each block.
package enum BookKind: Sendable {
  /// Its digest.
  case digests
  /// The state of an MD5 of everything up to its end.
  case md5

  var magic: [UInt8] {
    // SPLD and SPLM. Not two literals: Embedded Swift 6.3 takes one for the other.
    let last: UInt8 = self == .md5 ? 0x4D : 0x44
    return [0x53, 0x50, 0x4C, last]
  }
}

/// What a digest book says about its file.
package struct BookHeader: Equatable, Sendable {
  package static let version: UInt16 = 2

  package var kind: BookKind
  package var blockSize: UInt64
  package var key: FileKey
  /// Where the file was when the book was begun, so that books of files that are gone can be found.
  package var path: [UInt8]

  package init(_ kind: BookKind = .digests, blockSize: UInt64, key: FileKey, path: [UInt8]) {
    self.kind = kind
    self.blockSize = blockSize
    self.key = key
    self.path = path
  }

  package func encoded() -> [UInt8] {
    RecordFile.header(magic: kind.magic, version: Self.version) { output in
      output.append(integer: blockSize)
      key.append(to: &output)
      output.append(lengthPrefixed: path)
    }
  }

  package init?(_ file: [UInt8]) {
    kind = Array(file.prefix(4)) == BookKind.md5.magic ? .md5 : .digests
    guard var reader = RecordFile.reader(of: file, magic: kind.magic, version: Self.version) else { return nil }
    do throws(Truncated) {
      blockSize = try reader.integer()
      key = try FileKey(&reader)
      path = try reader.lengthPrefixed()
    } catch { return nil }
    guard blockSize == BlockGeometry(fileSize: key.size).blockSize else { return nil }
  }
}

package enum Record: Equatable, Sendable {
  /// The next block has this digest. Blocks are recorded in order, without gaps.
  case block(Digest)
  /// Everything before this offset is on stable storage.
  case checkpoint(durable: UInt64)
  /// A process took up the file; it runs in this boot of the machine.
  case session(boot: BootID)
  /// All blocks so far are named by this digest, see `PrefixChain`: who trusts it need not read them.
  case name(Digest)
  /// The state of a running MD5 behind the last block before this. The chained check binds it to their digests.
  case md5(Digest)
}

/// Which boot of the machine wrote something: the kernel's random id, or zero where it has none.
package struct BootID: Equatable, Sendable {
  package static let byteCount = 16
  fileprivate let digest: Digest

  package init(bytes: [UInt8]) {
    require(bytes.count == Self.byteCount, "a boot id has 16 bytes")
    digest = Digest(bytes: bytes)
  }

  fileprivate init(_ digest: Digest) { self.digest = digest }

  /// Where it is not, two boots look alike.
  package var isKnown: Bool { digest != Digest(high: 0, low: 0) }
}

/// The parts that journals and digest books share.
package enum RecordFile {
  /// The longest header: fixed fields and the longest path.
  package static let headerMax = 8192
  package static let recordSize = 40

  private static let prefixCount = 12
  private static let checkCount = 8

  fileprivate static func header(magic: [UInt8], version: UInt16, _ fields: (inout [UInt8]) -> Void) -> [UInt8] {
    var output = magic
    output.append(integer: version)
    output.append(DigestAlgorithm.xxh3.rawValue)
    output.append(0)
    output.append(integer: UInt32(0))
    fields(&output)
    let count = UInt32(output.count + checkCount)
    for index in 0..<4 { output[8 + index] = UInt8(truncatingIfNeeded: count >> UInt32(24 - 8 * index)) }
    let check = output.withUnsafeBytes { BlockHasher.check($0, seed: 0) }
    output.append(integer: check)
    return output
  }

  /// A reader behind the fixed part of a whole and undamaged header at the head of `file`.
  fileprivate static func reader(of file: [UInt8], magic: [UInt8], version: UInt16) -> ByteReader? {
    guard let count = headerCount(file), Array(file[0..<4]) == magic else { return nil }
    var reader = ByteReader(Array(file[4..<count - checkCount]))
    do throws(Truncated) {
      guard try reader.integer(UInt16.self) == version,
        try reader.integer(UInt8.self) == DigestAlgorithm.xxh3.rawValue, try reader.integer(UInt8.self) == 0
      else { return nil }
      _ = try reader.integer(UInt32.self)
    } catch { return nil }
    return reader
  }

  /// Bytes of the header at the head of `file`, or nil when it is damaged.
  package static func headerCount(_ file: [UInt8]) -> Int? {
    guard file.count >= prefixCount + checkCount else { return nil }
    let count = file[8..<12].reduce(0) { $0 << 8 | Int($1) }
    guard count >= prefixCount + checkCount, count <= min(file.count, headerMax) else { return nil }
    let check = file[0..<count - checkCount].withUnsafeBytes { BlockHasher.check($0, seed: 0) }
    guard check == storedCheck(file[(count - checkCount)..<count]) else { return nil }
    return count
  }

  fileprivate static func storedCheck(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// The running end of a record file: writes the next record, or reads the records that are there.
///
/// Each record carries a check seeded with the check before it, so a record that was torn, flipped,
/// moved or left over from an earlier use ends the file there.
package struct RecordChain: Equatable, Sendable {
  private var check: UInt64
  /// Blocks recorded so far; also the index of the next one.
  package private(set) var blocks: UInt64 = 0

  /// - Parameter header: the encoded header that the records follow.
  package init(header: [UInt8]) {
    check = RecordFile.storedCheck(header[(header.count - 8)...])
  }

  /// Goes on behind a record that is taken as it is: if its check was damaged, the next record does not fit.
  ///
  /// - Parameters:
  ///   - record: `RecordFile.recordSize` bytes.
  ///   - blocks: how many blocks are recorded up to there.
  package init(behind record: UnsafeRawBufferPointer, blocks: UInt64) {
    require(record.count == RecordFile.recordSize, "records have one size")
    check = UInt64(bigEndian: record.loadUnaligned(fromByteOffset: RecordFile.recordSize - 8, as: UInt64.self))
    self.blocks = blocks
  }

  /// How many blocks are recorded before `record`, by its own word, which is to be checked by reading it; nil when it
  /// is no name.
  ///
  /// - Parameter record: `RecordFile.recordSize` bytes.
  package static func blocks(beforeName record: UnsafeRawBufferPointer) -> UInt64? {
    require(record.count == RecordFile.recordSize, "records have one size")
    guard record[0] == nameKind else { return nil }
    return UInt64(UInt32(bigEndian: record.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
  }

  private static let nameKind: UInt8 = 4

  /// Appends the bytes of the next record.
  ///
  /// - Parameter stamp: `FileKey.stamp` of the data at this moment; what differs later was changed by
  ///   somebody else.
  package mutating func append(_ record: Record, stamp: UInt64, to output: inout [UInt8]) {
    let start = output.count
    let kind: UInt8
    let digest: Digest
    switch record {
    case .block(let block): (kind, digest) = (1, block)
    case .checkpoint(let durable): (kind, digest) = (2, Digest(high: durable, low: 0))
    case .session(let boot): (kind, digest) = (3, boot.digest)
    case .name(let name): (kind, digest) = (Self.nameKind, name)
    case .md5(let state): (kind, digest) = (5, state)
    }
    output.append(kind)
    output.append(contentsOf: [0, 0, 0])
    output.append(integer: UInt32(truncatingIfNeeded: blocks))
    output.append(integer: stamp)
    digest.append(to: &output, count: 16)
    check = output[start...].withUnsafeBytes { BlockHasher.check($0, seed: check) }
    output.append(integer: check)
    if case .block = record { blocks += 1 }
  }

  /// Reads the record in `bytes`; nil when it is not a whole and undamaged next record. Allocates nothing:
  /// resuming a huge file reads a record for each of its blocks.
  ///
  /// - Parameter bytes: `RecordFile.recordSize` bytes.
  package mutating func next(_ bytes: UnsafeRawBufferPointer) -> (record: Record, stamp: UInt64)? {
    require(bytes.count == RecordFile.recordSize, "records have one size")
    func integer<Value: FixedWidthInteger>(at offset: Int, _: Value.Type) -> Value {
      Value(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes[..<(RecordFile.recordSize - 8)])
    let expected = BlockHasher.check(body, seed: check)
    guard integer(at: 32, UInt64.self) == expected,
      integer(at: 4, UInt32.self) == UInt32(truncatingIfNeeded: blocks)
    else { return nil }
    let digest = Digest(high: integer(at: 16, UInt64.self), low: integer(at: 24, UInt64.self))
    let record: Record
    switch bytes[0] {
    case 1: record = .block(digest)
    case 2: record = .checkpoint(durable: integer(at: 16, UInt64.self))
    case 3: record = .session(boot: BootID(digest))
    case Self.nameKind: record = .name(digest)
    case 5: record = .md5(digest)
    default: return nil
    }
    check = expected
    if case .block = record { blocks += 1 }
    return (record, integer(at: 8, UInt64.self))
  }
}
