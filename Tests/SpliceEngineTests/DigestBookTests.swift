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
