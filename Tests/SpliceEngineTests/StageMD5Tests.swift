// What clients without digests need of a stage: a running MD5 that is kept, and the content of a finished file.

import SpliceBase
import SpliceCore
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

private let block = Int(Limits.blockSize)

@Suite struct StageMD5Tests {
  private let bench: StageBench
  private let content = pattern(3 * block + 1000)

  init() throws { bench = try StageBench() }

  private func md5(_ bytes: [UInt8]) -> [UInt8] {
    let running = RunningMD5()
    bytes.withUnsafeBytes { running.update($0) }
    return running.digest
  }

  /// As a Qt upload does it: no digests from the sender, an MD5 beside ours.
  private func append(_ stage: Stage, to end: Int) throws {
    let running = try stage.recordedMD5(notAbove: stage.received)
    while try !stage.extend(running, to: stage.received, budget: 1000) {}
    while Int(stage.received) < end {
      let start = Int(stage.received)
      let piece = Array(content[start..<min((start / block + 1) * block, end)])
      try withPieces([piece]) { try stage.append(unproved: $0) }
      piece.withUnsafeBytes { running.update($0) }
      try stage.note(running)
    }
    #expect(running.digest == md5(Array(content[..<end])))
  }

  private func open(modifiedAt seconds: Int64 = 1_000_000) throws -> Stage {
    try bench.open("a", size: content.count, modifiedAt: seconds)
  }

  /// Leaves `count` bytes behind, as a connection that broke.
  private func abandon(at count: Int) throws {
    let stage = try open()
    try stage.resume(at: stage.proof)
    try append(stage, to: count)
    try stage.close()
  }

  /// The digests that are made here are those that a sender of the same bytes would send.
  @Test func blocksWithoutDigestsHaveOurs() throws {
    try abandon(at: content.count)
    #expect(try open().proof == bench.proof(content))
  }

  /// A process that is killed between two blocks takes no state along.
  @Test func stateSurvivesAKill() throws {
    do {
      let killed = try open()
      try killed.resume(at: killed.proof)
      try append(killed, to: 2 * block)
    }
    #expect(try open().recordedMD5(notAbove: .max).count == 2 * Limits.blockSize)
  }

  /// The state of the last whole block is there: not a byte before it is read again.
  @Test(arguments: [0, 1, block - 1, block, 2 * block + 77, 3 * block + 1000])
  func stateSparesReading(count: Int) throws {
    try abandon(at: count)
    let stage = try open()
    let running = try stage.recordedMD5(notAbove: stage.received)
    #expect(Int(running.count) == count / block * block)
    #expect(try stage.extend(running, to: UInt64(count), budget: .max / 2))
    #expect(running.digest == md5(Array(content[..<count])))
  }

  @Test func statesOfLessAreFoundToo() throws {
    try abandon(at: 2 * block + 77)
    let stage = try open()
    #expect(try stage.recordedMD5(notAbove: UInt64(2 * block - 1)).count == Limits.blockSize)
    #expect(try stage.recordedMD5(notAbove: 77).count == 0)
  }

  /// Somebody wrote to the data: the states vouch for bytes that may be gone.
  @Test func changedDataHasNoState() throws {
    try abandon(at: 2 * block + 77)
    let file = try bench.folder.open().openFile(bytes("a"), .readWrite, permissions: 0)
    try file.write([content[5] ^ 1], at: 5)
    let stage = try open()
    #expect(try stage.recordedMD5(notAbove: stage.received).count == 0)
    let running = RunningMD5()
    while try !stage.extend(running, to: stage.received, budget: 300_000) {}
    var changed = Array(content[..<(2 * block + 77)])
    changed[5] ^= 1
    #expect(running.digest == md5(changed))
  }

  /// A journal that is written anew for another declaration keeps what it knows.
  @Test func anotherDeclarationKeepsTheStates() throws {
    try abandon(at: 2 * block + 77)
    let again = try open(modifiedAt: 2_000_000)
    try again.resume(at: again.proof)
    try again.close()
    let stage = try open(modifiedAt: 2_000_000)
    #expect(try stage.recordedMD5(notAbove: stage.received).count == 2 * Limits.blockSize)
  }

  /// States end where a block without one begins: a client with digests has gone on there.
  @Test func blocksOfOthersAreReadAgain() throws {
    try abandon(at: block)
    let native = try open()
    try bench.fill(native, content, to: 2 * block)
    try native.close()
    let stage = try open()
    let running = try stage.recordedMD5(notAbove: stage.received)
    #expect(running.count == Limits.blockSize)
    #expect(try stage.extend(running, to: stage.received, budget: .max / 2))
    #expect(running.digest == md5(Array(content[..<(2 * block)])))
  }

  /// A cut takes the states behind it along.
  @Test func cutStatesAreGone() throws {
    try abandon(at: 2 * block + 77)
    let first = try open()
    try first.resume(at: try first.rewind(to: UInt64(block + 5)))
    try first.close()
    let stage = try open()
    #expect(try stage.recordedMD5(notAbove: .max).count == Limits.blockSize)
  }

  // MARK: Finished files

  private func store() throws -> Store { try Store.open(bench.directory, isReadOnly: false, boot: bench.boot) }
  private var path: WirePath { WirePath(bytes("old"))! }

  private func makeFile(_ content: [UInt8]) throws {
    let file = try bench.folder.open().openFile(bytes("old"), .create, permissions: 0o644)
    try file.truncate(to: 0)
    try file.write(content, at: 0)
  }

  /// The second who asks has nothing to read but what lies behind the last state.
  @Test(arguments: [1, block, 2 * block, 3 * block + 1000])
  func finishedFilesKeepTheirStates(size: Int) throws {
    try makeFile(Array(content[..<size]))
    let store = try store()
    for round in 0..<2 {
      let source = try store.openSource(path)
      let reader = store.md5(of: source, path)
      var steps = 0
      while try !reader.advance(to: UInt64(size), budget: Limits.blockSize) { steps += 1 }
      #expect(reader.md5.digest == md5(Array(content[..<size])))
      if round == 1, size > block { #expect(steps <= 1, "\(steps) steps were read again") }
    }
    if size > block {
      let part = store.md5(of: try store.openSource(path), path)
      while try !part.advance(to: UInt64(block + 9), budget: .max / 2) {}
      #expect(part.md5.digest == md5(Array(content[..<(block + 9)])))
    }
  }

  @Test func changedFileHasNoStates() throws {
    try makeFile(content)
    let store = try store()
    let first = store.md5(of: try store.openSource(path), path)
    while try !first.advance(to: UInt64(content.count), budget: .max / 2) {}
    var changed = content
    changed[3] ^= 1
    try makeFile(changed)
    let second = store.md5(of: try store.openSource(path), path)
    while try !second.advance(to: UInt64(content.count), budget: .max / 2) {}
    #expect(second.md5.digest == md5(changed))
  }

  /// The old content becomes the prefix of the new file without going over the wire.
  @Test(arguments: [10, block, 2 * block + 500])
  func finishedContentIsAdopted(size: Int) throws {
    try makeFile(Array(content[..<size]))
    let store = try store()
    let source = try store.openSource(path)
    let reader = store.md5(of: source, path)
    while try !reader.advance(to: UInt64(size), budget: .max / 2) {}
    while try !source.extendBook(toCover: source.size, budget: .max / 2) {}
    let stage = try open()
    try stage.resume(at: stage.proof)
    while try !stage.adopt(source, reader, bytes: UInt64(size), budget: Limits.blockSize) {}
    #expect(stage.proof == bench.proof(content, size))
    #expect(try stage.recordedMD5(notAbove: .max).count == UInt64(size / block * block))
    try append(stage, to: content.count)
    #expect(stage.proof == bench.proof(content))
    #expect(try bench.contents("a") == content)
  }

  /// Somebody writes to the old file while it is copied: the copy is of nothing that ever was.
  @Test func changedContentIsNotAdopted() throws {
    try makeFile(Array(content[..<(2 * block)]))
    let store = try store()
    let source = try store.openSource(path)
    let reader = store.md5(of: source, path)
    while try !reader.advance(to: source.size, budget: .max / 2) {}
    while try !source.extendBook(toCover: source.size, budget: .max / 2) {}
    let stage = try open()
    try stage.resume(at: stage.proof)
    #expect(try !stage.adopt(source, reader, bytes: source.size, budget: 1))
    let file = try bench.folder.open().openFile(bytes("old"), .readWrite, permissions: 0)
    try file.write([content[5] ^ 1], at: 5)
    #expect(throws: StoreError(.changed)) {
      while try !stage.adopt(source, reader, bytes: source.size, budget: 1) {}
    }
  }
}
