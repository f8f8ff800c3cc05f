// Digests of finished files: kept, found again, and never believed for other content.

import SpliceBase
import SpliceCore
import SpliceSystem
import TestFiles
import Testing

@testable import SpliceEngine

private let block = Int(Limits.blockSize)

@Suite struct DigestBookTests {
  private let folder = TemporaryDirectory()
  private let content = pattern(2 * block + 99)

  private func source(_ books: Bool = true) throws -> Source {
    let root = try folder.open()
    let file = try root.openFile(bytes("file"), .read, permissions: 0)
    let status = try file.status()
    let directory = try root.makePath(bytes("books"), permissions: 0o700)
    let book =
      books ? try DigestBook(status.key, in: directory, path: bytes("file")) : DigestBook(inMemory: status.key)
    return Source(file, status, book)
  }

  private func write(_ content: [UInt8], at offset: UInt64 = 0) throws {
    try folder.open().openFile(bytes("file"), .create, permissions: 0o600).write(content, at: offset)
  }

  @Test(arguments: [true, false]) func proofIsThatOfTheBytes(isKept: Bool) throws {
    try write(content)
    let source = try source(isKept)
    #expect(try source.extendBook(toCover: source.size, budget: .max))
    for count in [0, 1, block, block + 1, 2 * block, content.count] {
      #expect(try source.proof(of: UInt64(count)) == StageBench().proof(content, count))
    }
  }

  @Test func bookIsFoundAgainAndGoesOn() throws {
    try write(content)
    #expect(try source().extendBook(toCover: UInt64(block), budget: .max))
    let second = try source()
    #expect(second.book.blocks == 1)
    #expect(try second.extendBook(toCover: second.size, budget: .max))
    let third = try source()
    #expect(third.book.isComplete)
    #expect(try third.proof(of: third.size) == StageBench().proof(content))
  }

  /// Found by the fuzzer of journals: whoever asks far behind the end gets nothing, not an overflow.
  /// Hundreds who want a new file at once do not each have it read.
  @Test func whatAnotherHasAppendedIsTakenOver() throws {
    try write(content)
    let trace = Trace()
    let first = try source()
    _ = try first.extendBook(toCover: UInt64(block), budget: .max)
    let file = TracingFile(first.file, "file", trace)
    let second = Source(file, first.status, try source().book)
    #expect(try first.extendBook(toCover: first.size, budget: .max))
    #expect(try second.extendBook(toCover: second.size, budget: .max))
    #expect(trace.bytesRead == 0)
    #expect(second.book.isComplete)
    #expect(second.book.chain == first.book.chain)
  }

  @Test(arguments: [true, false]) func digestsBehindTheEndAreNone(isKept: Bool) throws {
    try write(content)
    let source = try source(isKept)
    #expect(try source.extendBook(toCover: source.size, budget: .max))
    #expect(try source.book.digests(from: 2, count: 5).count == 1)
    for first in [3, UInt64(Int.max), .max] {
      #expect(try source.book.digests(from: first, count: 5).isEmpty)
    }
  }

  @Test func budgetBoundsOneStep() throws {
    try write(content)
    let source = try source()
    #expect(try !source.extendBook(toCover: source.size, budget: UInt64(block)))
    #expect(source.book.blocks == 1)
  }

  @Test func bookOfOtherContentIsNotBelieved() throws {
    try write(content)
    let first = try source()
    #expect(try first.extendBook(toCover: first.size, budget: .max))
    try write([content[5] ^ 1], at: 5)
    #expect(try first.hasChanged())
    let second = try source()
    #expect(second.book.blocks == 0)
    var other = content
    other[5] ^= 1
    #expect(try second.extendBook(toCover: second.size, budget: .max))
    #expect(try second.proof(of: second.size) == StageBench().proof(other))
  }

  @Test func damagedBookIsOnlyShorter() throws {
    try write(content)
    let first = try source()
    #expect(try first.extendBook(toCover: first.size, budget: .max))
    let books = try folder.open("books")
    let name = try #require(try books.reader().next()?.name)
    let file = try books.openFile(name, .readWrite, permissions: 0)
    let size = try file.status().size
    let last = try file.read(count: 1, at: size - 30)
    try file.write([last[0] ^ 1], at: size - 30)
    let second = try source()
    #expect(second.book.blocks == 2)
    #expect(try second.extendBook(toCover: second.size, budget: .max))
    #expect(try second.proof(of: second.size) == StageBench().proof(content))
  }

  @Test func clearedBookStartsAgain() throws {
    try write(content)
    let first = try source()
    #expect(try first.extendBook(toCover: first.size, budget: .max))
    try first.book.clear()
    #expect(first.book.blocks == 0)
    #expect(try source().book.blocks == 0)
  }
}

/// Books of many blocks, of which no file is needed: a book only knows digests.
@Suite struct LongBookTests {
  private let folder = TemporaryDirectory()

  private func key(_ blocks: Int) -> FileKey {
    let time = Timestamp(seconds: 1, nanoseconds: 2)
    return FileKey(device: 3, inode: 4, size: UInt64(blocks * block), modified: time, changed: time)
  }

  private func digest(_ index: Int) -> Digest { Digest(high: UInt64(index), low: ~UInt64(index)) }

  private func book(_ blocks: Int, _ trace: Trace = Trace()) throws -> DigestBook {
    try DigestBook(key(blocks), in: TracingDirectory(folder.open(), trace), path: bytes("file"))
  }

  private func chain(_ count: Int, of blocks: Int) -> PrefixChain {
    var chain = PrefixChain(BlockGeometry(fileSize: key(blocks).size))
    for index in 0..<count { chain.append(digest(index)) }
    return chain
  }

  private func write(_ count: Int, of blocks: Int) throws {
    let book = try book(blocks)
    while book.blocks < count { try book.append(digest(Int(book.blocks))) }
  }

  /// However many blocks, in however many turns: the same book.
  @Test(arguments: [1, 63, 64, 65, 127, 128, 129, 130, 640, 1000])
  func everyEndIsFoundAgain(_ count: Int) throws {
    for end in [count / 3, count - 1, count] { try write(end, of: count) }
    let book = try book(count)
    #expect(book.chain == chain(count, of: count))
    #expect(try book.digests(from: 0, count: .max) == (0..<count).map(digest))
    for prefix in [0, 1, 62, 63, 64, 65, 66, 128, count / 2, count - 1, count] where prefix <= count {
      #expect(try book.chain(ofBlocks: UInt64(prefix)) == chain(prefix, of: count))
      #expect(try book.digests(from: UInt64(prefix), count: 3) == (prefix..<min(prefix + 3, count)).map(digest))
    }
    #expect(try book.chain(ofBlocks: UInt64(count + 1)) == nil)
    #expect(try book.digests(from: UInt64(count + 7), count: 3).isEmpty)
  }

  /// What a resume reads of a book does not grow with the file.
  @Test func longBookCostsWhatAShortOneDoes() throws {
    var costs: [Int] = []
    for count in [200, 20_000] {
      try write(count, of: count)
      let trace = Trace()
      let book = try book(count, trace)
      _ = try book.chain(ofBlocks: UInt64(count - 100))
      _ = try book.digests(from: UInt64(count - 100), count: 8)
      costs.append(trace.bytesRead)
    }
    #expect(costs[1] <= costs[0] + costs[0] / 4, "\(costs)")
  }

  /// A byte of a record is changed: the book is shorter, at the latest when the record is read; no digest and no
  /// name is ever wrong.
  /// Two that go on in turns, each from what the other has left, write one book.
  @Test(arguments: [1, 7, 63, 64, 65, 130])
  func bookOfTwoIsOne(_ turn: Int) throws {
    let books = [try book(300), try book(300)]
    var next = 0
    while next < 300 {
      for book in books {
        try book.catchUp()
        #expect(book.blocks == UInt64(next))
        for index in next..<min(next + turn, 300) { try book.append(digest(index)) }
        next = min(next + turn, 300)
      }
    }
    let whole = try book(300)
    try whole.recheck()
    #expect(whole.chain == chain(300, of: 300))
    #expect(try whole.digests(from: 0, count: 300) == (0..<300).map(digest))
  }

  @Test(arguments: [0, 5, 63, 64, 65, 66, 127, 128, 129, 130, 131, 190, 194, 195, 196, 202])
  func damagedRecordIsNeverBelieved(_ record: Int) throws {
    let count = 200
    try write(count, of: count)
    let name = try #require(try folder.open().reader().next()?.name)
    let file = try folder.open().openFile(name, .readWrite, permissions: 0)
    let header = try file.status().size - UInt64((count + 3) * RecordFile.recordSize)
    let place = header + UInt64(record * RecordFile.recordSize + 20)
    try file.write([try file.read(count: 1, at: place)[0] ^ 1], at: place)

    for prefix in 0...count {
      let book = try book(count)
      if let chain = try book.chain(ofBlocks: UInt64(prefix)) { #expect(chain == self.chain(prefix, of: count)) }
      let digests = try book.digests(from: UInt64(prefix), count: 9)
      #expect(digests == (prefix..<prefix + digests.count).map(digest))
    }
    let all = try book(count)
    _ = try all.digests(from: 0, count: .max)
    let good = record - record / 65
    #expect(all.blocks == UInt64(good))
    // Written again from there, it is whole.
    while all.blocks < count { try all.append(digest(Int(all.blocks))) }
    let again = try book(count)
    #expect(again.chain == chain(count, of: count))
    #expect(try again.digests(from: 0, count: .max) == (0..<count).map(digest))
  }
}
