// Stages with so many blocks that an opening believes the end of their journal.

import SpliceBase
import SpliceCore
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

private let block = Int(Limits.blockSize)
private let content = pattern(41 * block + 1000)

@Suite struct LongJournalTests {
  private let bench: StageBench

  init() throws { bench = try StageBench() }

  private func open(size: Int = content.count) throws -> Stage { try bench.open("a", size: size) }

  /// Leaves a stage of so many bytes behind, with a checkpoint every ten blocks and one at the end.
  private func leave(at count: Int) throws {
    let stage = try open()
    try stage.resume(at: stage.proof)
    for end in stride(from: 10 * block, to: count, by: 10 * block) {
      try bench.append(stage, content, to: end)
      try stage.checkpoint()
    }
    try bench.append(stage, content, to: count)
    try stage.close()
  }

  /// Leaves 38 blocks behind as a killed process would, with a checkpoint behind 25.
  private func abandon() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 25 * block)
    try stage.checkpoint()
    try bench.append(stage, content, to: 38 * block)
  }

  /// Changes a byte of the journal, counted from its beginning.
  private func damageJournal(at offset: UInt64) throws {
    let file = try bench.folder.open().openFile(bytes("a.journal"), .readWrite, permissions: 0)
    try file.write([try file.read(count: 1, at: offset)[0] ^ 0x10], at: offset)
  }

  private func journalSize() throws -> UInt64 { try bench.directory.status(bytes("a.journal"), followLinks: false).size }

  @Test(arguments: [20, 30, 41])
  func openingReadsTheSameForEverySize(blocks: Int) throws {
    try leave(at: blocks * block)
    bench.trace.forget()
    let stage = try open()
    #expect(stage.proof == bench.proof(content, blocks * block))
    #expect(stage.durable == UInt64(blocks * block))
    // The header is read with what follows it, at most; then the end.
    #expect(bench.trace.bytesRead <= RecordFile.headerMax + 4096)
    #expect(bench.trace.events == [])
  }

  @Test func killLosesNothing() throws {
    try abandon()
    let next = try open()
    #expect(next.proof == bench.proof(content, 38 * block))
    #expect(next.durable == UInt64(25 * block))
  }

  @Test func everythingAfterAnOpeningCounts() throws {
    for end in [17, 18, 30, 31, 32, 40] {
      let stage = try open()
      try bench.fill(stage, content, to: end * block)
      try stage.close()
    }
    let stage = try open()
    #expect(stage.proof == bench.proof(content, 40 * block))
    try bench.fill(stage, content)
    #expect(stage.proof == bench.proof(content))
    var digests: [Digest] = []
    try stage.forEachBlock { digests.append($0) }
    #expect(digests.count == 42)
    #expect(digests.last == digest(Array(content[(41 * block)...])))
  }

  @Test func cutBackAndFilledAgain() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 39 * block)
    try stage.resume(at: bench.proof(content, 5 * block))
    try bench.append(stage, content, to: 36 * block)
    try stage.close()
    #expect(try open().proof == bench.proof(content, 36 * block))
  }

  @Test func intruderIsFoundOut() throws {
    try leave(at: 40 * block)
    let file = try bench.folder.open().openFile(bytes("a"), .readWrite, permissions: 0)
    try file.write([content[5] ^ 1], at: 5)
    #expect(try open().proof != bench.proof(content, 40 * block))
  }

  /// The boot is not the one that the end tells of: what no checkpoint covers is read again.
  @Test func powerCutIsNotTakenForAKill() throws {
    try abandon()
    bench.reboot()
    bench.trace.forget()
    let next = try open()
    #expect(next.proof == bench.proof(content, 38 * block))
    #expect(next.durable == UInt64(25 * block))
    #expect(bench.trace.bytesRead >= 13 * block)
  }

  @Test(arguments: [0, 1, 2, 3, 5, 19, 20])
  func tornEndIsNotBelieved(records: Int) throws {
    try leave(at: 40 * block)
    let size = try journalSize()
    let file = try bench.folder.open().openFile(bytes("a.journal"), .readWrite, permissions: 0)
    try file.truncate(to: size - UInt64(records * RecordFile.recordSize) - 7)
    #expect(try open().proof == bench.proof(content, 40 * block))
  }

  /// Nothing has to know of it as long as only the end is needed.
  @Test func damageBeforeTheEndIsFoundByWhoGoesBack() throws {
    try leave(at: 40 * block)
    try damageJournal(at: journalSize() / 2)
    let stage = try open()
    #expect(stage.proof == bench.proof(content, 40 * block))
    #expect(throws: StoreError.self) { try stage.rewind(to: UInt64(39 * block)) }
    try stage.close()
    let next = try open()
    #expect(try next.rewind(to: UInt64(39 * block)) == bench.proof(content, 39 * block))
  }

  @Test func damageBeforeTheEndIsNoAnswerToAProbe() throws {
    try leave(at: 40 * block)
    try damageJournal(at: journalSize() / 2)
    let stage = try open()
    #expect(throws: StoreError.self) { try stage.chain(at: [1, 39]) }
    try stage.close()
    #expect(try open().chain(at: [1, 39, 60]).count == 2)
  }

  @Test func damageBeforeTheEndGivesNoWrongDigests() throws {
    try leave(at: 40 * block)
    try damageJournal(at: journalSize() / 2)
    let stage = try open()
    try bench.fill(stage, content)
    var digests: [Digest] = []
    try stage.forEachBlock { digests.append($0) }
    #expect(digests.count < 40)
    for (index, found) in digests.enumerated() {
      #expect(found == digest(Array(content[index * block..<(index + 1) * block])))
    }
  }

  @Test func damageBeforeTheEndIsNotCopied() throws {
    try leave(at: 40 * block)
    try damageJournal(at: journalSize() / 2)
    // Another size is another declaration, for which the journal is written anew.
    let longer = try open(size: content.count + 5)
    #expect(throws: StoreError.self) { try longer.resume(at: longer.proof) }
    try longer.close()
    let next = try open(size: content.count + 5)
    try next.resume(at: next.proof)
    #expect(next.proof == bench.proof(content, 40 * block))
  }
}
