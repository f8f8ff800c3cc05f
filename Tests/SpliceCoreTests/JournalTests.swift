// Headers and records of journals and digest books, and what damage does to them.

import SpliceBase
import SpliceCore
import Testing

private let header = JournalHeader(
  blockSize: 1 << 20, size: 3_145_733, modified: Timestamp(seconds: 1_700_000_000, nanoseconds: 9),
  mode: 0o644,
  path: [UInt8]("photos/a.raw"), origin: [UInt8]("192.0.2.1:5000"))
private let key = FileKey(
  device: 2049, inode: 77, size: 3_145_733, modified: Timestamp(seconds: 1_700_000_000, nanoseconds: 9),
  changed: Timestamp(seconds: 1_700_000_001, nanoseconds: 10))

private struct Entry: Equatable {
  var record: Record
  var stamp: UInt64
}

/// Writes a file of these records.
private func file(_ entries: [Entry]) -> [UInt8] {
  var bytes = header.encoded()
  var chain = RecordChain(header: bytes)
  for entry in entries { chain.append(entry.record, stamp: entry.stamp, to: &bytes) }
  return bytes
}

extension RecordChain {
  fileprivate mutating func next(_ bytes: some Collection<UInt8>) -> (record: Record, stamp: UInt64)? {
    Array(bytes).withUnsafeBytes { next($0) }
  }
}

/// Reads the records of a file as a daemon does after a crash: up to the first one that is not whole.
private func entries(_ file: [UInt8]) -> (header: JournalHeader, entries: [Entry])? {
  guard let header = JournalHeader(file), let count = RecordFile.headerCount(file) else { return nil }
  var chain = RecordChain(header: Array(file[..<count]))
  var entries: [Entry] = []
  var start = count
  while start + RecordFile.recordSize <= file.count {
    guard let next = chain.next(file[start..<start + RecordFile.recordSize]) else { break }
    entries.append(Entry(record: next.record, stamp: next.stamp))
    start += RecordFile.recordSize
  }
  return (header, entries)
}

private func digest(_ first: UInt8) -> Digest { Digest(bytes: (0..<16).map { first + $0 }) }

/// A session, two blocks, a checkpoint, a block, another session, a block, a name, a checkpoint.
private let small: [Entry] = [
  Entry(record: .session(boot: BootID(bytes: Array(0xB0...0xBF))), stamp: 1),
  Entry(record: .block(digest(0x10)), stamp: 2), Entry(record: .block(digest(0x20)), stamp: 3),
  Entry(record: .checkpoint(durable: 2 << 20), stamp: 4), Entry(record: .block(digest(0x30)), stamp: 5),
  Entry(record: .session(boot: BootID(bytes: Array(repeating: 0, count: 16))), stamp: .max),
  Entry(record: .block(digest(0x40)), stamp: 7), Entry(record: .name(digest(0x50)), stamp: 6),
  Entry(record: .checkpoint(durable: .max), stamp: 0),
]

@Suite("Journal") struct JournalTests {
  /// The layout on disk is a format: a daemon reads what an older one wrote.
  @Test("Headers and records are written as their golden vectors")
  func goldenVectors() {
    var bytes = header.encoded()
    #expect(bytes == Vectors.bytes("journal-header"))
    var chain = RecordChain(header: bytes)
    let records: [(String, Record, UInt64)] = [
      ("record-session", .session(boot: BootID(bytes: Array(0xB0...0xBF))), 0x0102_0304_0506_0708),
      ("record-block-0", .block(digest(0x10)), 0x1112_1314_1516_1718),
      ("record-block-1", .block(digest(0x20)), 0x2122_2324_2526_2728),
      ("record-checkpoint", .checkpoint(durable: 2 << 20), 0x3132_3334_3536_3738),
      ("record-name", .name(digest(0x30)), 0x4142_4344_4546_4748),
      ("record-md5", .md5(digest(0x40)), 0x5152_5354_5556_5758),
    ]
    for (name, record, stamp) in records {
      bytes = []
      chain.append(record, stamp: stamp, to: &bytes)
      #expect(bytes == Vectors.bytes(name), "\(name)")
      #expect(bytes.count == RecordFile.recordSize)
    }
    #expect(chain.blocks == 2)
    #expect(
      BookHeader(blockSize: 1 << 20, key: key, path: [UInt8]("photos/a.raw")).encoded()
        == Vectors.bytes("book-header"))
    #expect(
      BookHeader(.md5, blockSize: 1 << 20, key: key, path: [UInt8]("photos/a.raw")).encoded()
        == Vectors.bytes("md5-book-header"))
    #expect(Vectors.files.count == 9)
  }

  /// The golden bytes are also read as what they mean.
  @Test("Golden vectors are read as their values")
  func goldenVectorsAreRead() throws {
    let records = ["record-session", "record-block-0", "record-block-1", "record-checkpoint", "record-name", "record-md5"]
    let bytes = Vectors.bytes("journal-header") + records.flatMap(Vectors.bytes)
    let read = try #require(entries(bytes))
    #expect(read.header == header)
    #expect(read.entries.map(\.record) == small[0..<4].map(\.record) + [.name(digest(0x30)), .md5(digest(0x40))])
    #expect(read.entries.map(\.stamp).first == 0x0102_0304_0506_0708)
    let book = try #require(BookHeader(Vectors.bytes("book-header")))
    #expect(book == BookHeader(blockSize: 1 << 20, key: key, path: [UInt8]("photos/a.raw")))
    #expect(BookHeader(Vectors.bytes("md5-book-header"))?.kind == .md5)
  }

  /// Everything that is written is read, in its order and with its stamp.
  @Test("All kinds of records come back as they were written")
  func roundTrip() throws {
    let read = try #require(entries(file(small)))
    #expect(read.header == header && read.entries == small)
    #expect(try #require(entries(file([]))).entries.isEmpty)
  }

  /// Paths of every kind fit, up to the longest.
  @Test("Headers with empty, binary and longest paths come back as they were written")
  func headerPaths() {
    for path: [UInt8] in [[], [0xFF, 0x0A, 0xFE], Array(repeating: 0x61, count: Limits.pathMax)] {
      for size: UInt64 in [0, 1, 1 << 40, .max] {
        let blockSize = BlockGeometry(fileSize: size).blockSize
        let time = Timestamp(seconds: .min, nanoseconds: 999_999_999)
        let written = JournalHeader(blockSize: blockSize, size: size, modified: time, mode: .max, path: path)
        #expect(JournalHeader(written.encoded()) == written)
        #expect(RecordFile.headerCount(written.encoded() + [1, 2, 3]) == written.encoded().count)
        let other = FileKey(device: .max, inode: .max, size: size, modified: time, changed: time)
        let book = BookHeader(blockSize: blockSize, key: other, path: path)
        #expect(BookHeader(book.encoded()) == book)
      }
    }
  }

  /// The kinds of file are not mistaken for each other, nor a wrong block size believed.
  @Test("A header of the other kind, or with a block size that does not fit, is refused")
  func wrongHeaders() {
    #expect(JournalHeader(Vectors.bytes("book-header")) == nil)
    #expect(BookHeader(Vectors.bytes("journal-header")) == nil)
    var other = header
    other.blockSize = 2 << 20
    #expect(JournalHeader(other.encoded()) == nil)
    #expect(BookHeader(BookHeader(blockSize: 2 << 20, key: key, path: []).encoded()) == nil)
    #expect(JournalHeader([]) == nil && RecordFile.headerCount([]) == nil)
  }

  /// A power cut ends the file anywhere.
  @Test("A tail torn at any byte leaves the whole records before it")
  func tornTail() {
    let bytes = file(small)
    let headerCount = bytes.count - small.count * RecordFile.recordSize
    for count in 0..<bytes.count {
      let read = entries(Array(bytes[..<count]))
      if count < headerCount {
        #expect(read == nil, "\(count) bytes")
      } else {
        let whole = (count - headerCount) / RecordFile.recordSize
        #expect(read?.entries == Array(small[..<whole]), "\(count) bytes")
      }
    }
  }

  /// A file system may leave zeros or old bytes where the end was not written.
  @Test("Zeros, ones and noise behind the last record are not records")
  func wornTail() {
    var random = Random(seed: 11)
    let bytes = file(small)
    for count in [1, 39, 40, 41, 400] {
      let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      for tail in [Array(repeating: 0, count: count), Array(repeating: 0xFF, count: count), noise] {
        #expect(entries(bytes + tail)?.entries == small)
      }
    }
  }

  /// No damage is read as something else: all digests that come out are right.
  @Test("Every flipped bit cuts the file at its record, or refuses the header")
  func flippedBits() {
    let bytes = file(small)
    let headerCount = bytes.count - small.count * RecordFile.recordSize
    for bit in 0..<bytes.count * 8 {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      let read = entries(damaged)
      if bit / 8 < headerCount {
        if read != nil { Issue.record("bit \(bit) of the header") }
      } else {
        let record = (bit / 8 - headerCount) / RecordFile.recordSize
        if read?.entries != Array(small[..<record]) { Issue.record("bit \(bit) in record \(record)") }
      }
    }
  }

  /// A flipped bit of a digest book's header makes it no book at all.
  @Test("Every flipped bit of a digest book's header refuses it")
  func flippedBitsOfBooks() {
    let bytes = Vectors.bytes("book-header")
    for bit in 0..<bytes.count * 8 {
      var damaged = bytes
      damaged[bit / 8] ^= 1 << (bit % 8)
      if BookHeader(damaged) != nil { Issue.record("bit \(bit)") }
    }
  }

  /// What an earlier upload left behind in the same file does not continue this one.
  @Test("Records that follow another header are refused")
  func recordsOfAnotherHeader() {
    var changed: [JournalHeader] = []
    for index in 0..<5 {
      var other = header
      switch index {
      case 0: other.size += 1
      case 1: other.modified.seconds += 1
      case 2: other.modified.nanoseconds += 1
      case 3: other.mode = 0o600
      default: other.path = [UInt8]("photos/b.raw")
      }
      changed.append(other)
    }
    let records = file(small).suffix(small.count * RecordFile.recordSize)
    for other in changed {
      #expect(other != header)
      #expect(entries(other.encoded() + records)?.entries.isEmpty == true)
    }
  }

  /// Swapped, repeated and missing records, each whole in itself.
  @Test("Records in any other order are refused from the first one out of place")
  func recordsOutOfOrder() {
    let bytes = file(small)
    let size = RecordFile.recordSize
    let headerCount = bytes.count - small.count * size
    func record(_ index: Int) -> ArraySlice<UInt8> {
      bytes[headerCount + index * size..<headerCount + (index + 1) * size]
    }
    for first in small.indices {
      for second in small.indices {
        var order = Array(small.indices)
        order[first] = second
        let read = entries(Array(bytes[..<headerCount]) + order.flatMap { record($0) })
        let intact = first == second ? small.count : first
        #expect(read?.entries == Array(small[..<intact]), "\(second) in the place of \(first)")
      }
    }
  }

  /// The blocks of two records of equal content are told apart by their place.
  @Test("Equal digests in a row are separate records")
  func equalDigests() throws {
    let equal = Array(repeating: Entry(record: .block(digest(7)), stamp: 7), count: 5)
    let bytes = file(equal)
    #expect(try #require(entries(bytes)).entries == equal)
    let places = stride(from: bytes.count - 200, to: bytes.count, by: 40).map { Array(bytes[$0..<$0 + 40]) }
    #expect(Set(places).count == 5)
  }

  /// A reader that stops at a damaged record may go on writing there.
  @Test("A refused record leaves the chain unchanged, so that it can be written again")
  func continuingAfterATornTail() throws {
    let bytes = file(Array(small[..<3]))
    var chain = RecordChain(header: Array(bytes[..<(bytes.count - 120)]))
    #expect(chain.next(bytes[(bytes.count - 120)..<(bytes.count - 80)]) != nil)
    #expect(chain.next(bytes[(bytes.count - 80)..<(bytes.count - 40)]) != nil)
    let before = chain
    var torn = Array(bytes.suffix(40))
    torn[20] ^= 1
    #expect(chain.next(torn) == nil && chain == before)
    var continued = Array(bytes.dropLast(40))
    chain.append(small[2].record, stamp: small[2].stamp, to: &continued)
    #expect(continued == bytes)
  }
}

@Suite("FileKey") struct FileKeyTests {
  /// Computed once from the layout by another program.
  @Test("The stamp of a file has its known value")
  func knownStamp() {
    #expect(key.stamp == 0xB34F_E4CA_59CB_A9D5)
  }

  /// Each field is a reason not to believe old digests.
  @Test("The stamp differs when any field does")
  func everyFieldCounts() {
    var keys = Array(repeating: key, count: 8)
    keys[1].device += 1
    keys[2].inode += 1
    keys[3].size += 1
    keys[4].modified.seconds += 1
    keys[5].modified.nanoseconds += 1
    keys[6].changed.seconds += 1
    keys[7].changed.nanoseconds += 1
    #expect(Set(keys.map(\.stamp)).count == 8)
  }
}
