// Contents, sizes, times and locks of real files.

import Glibc
import SpliceBase
import SpliceSystem
import TestFiles
import Testing

@Suite struct PosixFileTests {
  let temporary = TemporaryDirectory()

  private func makeFile(_ name: String = "file") throws -> any File {
    try temporary.open().openFile(bytes(name), .createNew, permissions: 0o644)
  }

  @Test func piecesBeyondOneKernelCallAreWrittenInOrder() throws {
    let file = try makeFile()
    let parts = (0..<201).map { [UInt8](repeating: UInt8($0), count: $0 * 7 % 50) }
    try withPieces(parts) { try file.write($0, at: 3) }
    let all: [UInt8] = [0, 0, 0] + Array(parts.joined())
    #expect(try file.status().size == UInt64(all.count))
    #expect(try file.read(count: all.count + 10, at: 0) == all)
  }

  @Test func whatWasJustWrittenIsCachedAndWhatIsNotThereIsNot() throws {
    let file = try makeFile()
    try withPieces([[UInt8](repeating: 7, count: 300_001)]) { try file.write($0, at: 0) }
    #expect(file.isCached(from: 0, count: 300_001))
    #expect(file.isCached(from: 123_456, count: 1))
    #expect(!file.isCached(from: 0, count: 0))
    #expect(!file.isCached(from: 0, count: 1 << 20))
  }

  /// `count` bytes at a whole page.
  private func withPages(_ count: Int, _ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    let pages = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
    defer { pages.deallocate() }
    for index in pages.indices { pages[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 12) }
    try body(UnsafeRawBufferPointer(pages))
  }

  @Test func writesPastTheCacheAreReadLikeOthers() throws {
    let file = try makeFile()
    try withPages(1 << 20) { pages in
      try file.writeUncached(pages, at: 0)
      try file.write([1, 2, 3], at: 1 << 20)
      // Neither the place nor the count is that of whole pages.
      try file.writeUncached(UnsafeRawBufferPointer(rebasing: pages[1..<100_000]), at: (1 << 20) + 3)
      try file.writeUncached(pages, at: 4 << 20)
      #expect(try file.status().size == 5 << 20)
      #expect(try file.read(count: 100, at: 7) == Array(pages[7..<107]))
      #expect(try file.read(count: 5, at: (1 << 20) - 1) == [pages[pages.count - 1], 1, 2, 3, pages[1]])
      #expect(try file.read(count: 1 << 20, at: 4 << 20) == Array(pages))
    }
  }

  @Test func whereNothingCanBeWrittenPastTheCacheItIsWrittenAsUsual() throws {
    let null = try PosixDirectory.open(bytes("/dev"), confined: false).openFile(
      bytes("null"), .readWrite, permissions: 0)
    try withPages(8192) { pages in for _ in 0..<2 { try null.writeUncached(pages, at: 0) } }
  }

  @Test func noPiecesAndEmptyPiecesWriteNothing() throws {
    let file = try makeFile()
    try withPieces([]) { try file.write($0, at: 9) }
    try withPieces([[], [], []]) { try file.write($0, at: 9) }
    try file.write([], at: 9)
    #expect(try file.status().size == 0)
  }

  /// The kernel writes short up to the largest size of the file system, then fails: the failure must show.
  @Test func errorAfterAShortWriteIsThrown() throws {
    let file = try makeFile()
    var possible: UInt64 = 0
    var impossible = UInt64(Int64.max) - 4096
    while impossible - possible > 1 {
      let middle = possible + (impossible - possible) / 2
      if (try? file.truncate(to: middle)) != nil { possible = middle } else { impossible = middle }
    }
    try file.truncate(to: 0)
    if possible > UInt64(Int64.max) - 8192 { return }  // this file system has no limit to run into
    #expect(throws: Errno.fileTooLarge) {
      try withPieces([[1, 2, 3], [4, 5, 6, 7, 8]]) { try file.write($0, at: possible - 4) }
    }
    #expect(try file.status().size == possible)
    #expect(try file.read(count: 10, at: possible - 4) == [1, 2, 3, 4])
  }

  @Test func fullDeviceSaysNoSpace() throws {
    let devices = try PosixDirectory.open(bytes("/dev"), confined: false)
    let full = try devices.openFile(bytes("full"), .readWrite, permissions: 0)
    #expect(throws: Errno.noSpace) { try full.write([1, 2, 3], at: 0) }
  }

  @Test func readsAreShortAtTheEndAndZeroBeyondIt() throws {
    let file = try makeFile()
    try file.write(bytes("hello"), at: 0)
    #expect(try file.read(count: 100, at: 3) == bytes("lo"))
    #expect(try file.read(count: 100, at: 5) == [])
    #expect(try file.read(count: 100, at: 500) == [])
  }

  @Test func truncateCutsAndExtends() throws {
    let file = try makeFile()
    try file.write(bytes("hello"), at: 0)
    try file.truncate(to: 2)
    try file.truncate(to: 4)
    #expect(try file.read(count: 10, at: 0) == [104, 101, 0, 0])
  }

  @Test func reservingLeavesTheSize() throws {
    let file = try makeFile()
    #expect(try file.reserve(from: 0, count: 1 << 20))
    #expect(try file.reserve(from: 0, count: 0))
    #expect(try file.status().size == 0)
  }

  @Test func reservingMoreThanThereIsThrows() throws {
    let file = try makeFile()
    #expect(throws: Errno.self) { try file.reserve(from: 0, count: 1 << 62) }
  }

  @Test func timesAndPermissionsAreKeptToTheNanosecond() throws {
    let file = try makeFile()
    let time = Timestamp(seconds: 1_234_567_890, nanoseconds: 123_456_789)
    try file.setModified(time)
    try file.setMode(0o640)
    let status = try file.status()
    #expect(status.modified == time)
    #expect(status.changed != time)
    #expect(status.mode == 0o640)
    #expect(status.kind == .regular)
    #expect(status.linkCount == 1)
  }

  @Test func timesBefore1970AreKept() throws {
    let file = try makeFile()
    let time = Timestamp(seconds: -2, nanoseconds: 500_000_000)
    try file.setModified(time)
    #expect(try file.status().modified == time)
  }

  @Test func lockExcludesUntilTheFileIsClosed() throws {
    let directory = try temporary.open()
    var first: (any File)? = try makeFile()
    let second = try directory.openFile(bytes("file"), .read, permissions: 0)
    #expect(try first?.tryLock() == true)
    #expect(try first?.tryLock() == true)
    #expect(try second.tryLock() == false)
    first = nil
    #expect(try second.tryLock())
  }

  /// A child between fork and exec has all descriptors of its parent.
  @Test func lockGoesWithTheFileThatTookIt() throws {
    var first: (any File)? = try makeFile()
    #expect(try first?.tryLock() == true)
    let childs = dup(try #require(first).descriptor)
    defer { close(childs) }
    first = nil
    let second = try temporary.open().openFile(bytes("file"), .read, permissions: 0)
    #expect(try second.tryLock())
  }

  @Test func syncsAndAdviceSucceedOnARegularFile() throws {
    let file = try makeFile()
    try file.write([UInt8](repeating: 7, count: 100_000), at: 0)
    try file.syncData()
    try file.sync()
    file.dropCached()
    file.willNeed(from: 0, count: 100_000)
    #expect(try file.read(count: 3, at: 99_999) == [7])
  }

  @Test func writingAFileOpenedForReadingThrows() throws {
    _ = try makeFile()
    let file = try temporary.open().openFile(bytes("file"), .read, permissions: 0)
    #expect(throws: Errno.badDescriptor) { try file.write([1], at: 0) }
  }

  /// To the same place in another file, as much as there is.
  @Test func copyTakesOverBytes() throws {
    let content = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let source = try temporary.open().openFile(bytes("source"), .create, permissions: 0o600)
    let target = try temporary.open().openFile(bytes("target"), .create, permissions: 0o600)
    try source.write(content, at: 0)
    try target.copy(from: source, at: 0, count: 500_000)
    try target.copy(from: source, at: 500_000, count: 100_000)
    #expect(try target.read(count: 700_000, at: 0) == content)
    #expect(throws: Errno.stale) { try target.copy(from: source, at: 599_000, count: 2000) }
  }
}
