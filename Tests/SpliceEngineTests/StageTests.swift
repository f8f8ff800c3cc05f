// What is taken up again of an unfinished file: after a close, a killed process, a power cut, an intruder.

import SpliceBase
import SpliceCore
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

private let block = Int(Limits.blockSize)

@Suite struct StageTests {
  private let bench: StageBench
  private let content = pattern(3 * block + 1000)

  init() throws { bench = try StageBench() }

  private func open(size: Int? = nil) throws -> Stage { try bench.open("a", size: size ?? content.count) }

  /// Leaves a stage of `count` bytes behind as a killed process would: without closing it.
  private func abandon(at count: Int, checkpointAt checkpoint: Int? = nil) throws {
    let stage = try open()
    try bench.fill(stage, content, to: checkpoint ?? 0)
    if checkpoint != nil { try stage.checkpoint() }
    try bench.append(stage, content, to: count)
  }

  private func change(at offset: UInt64, _ byte: UInt8) throws {
    let file = try bench.folder.open().openFile(bytes("a"), .readWrite, permissions: 0)
    try file.write([byte], at: offset)
  }

  private func damageJournal(_ body: ([UInt8]) -> [UInt8]) throws {
    let file = try bench.folder.open().openFile(bytes("a.journal"), .readWrite, permissions: 0)
    let changed = body(try file.read(count: Int(try file.status().size), at: 0))
    try file.truncate(to: 0)
    try file.write(changed, at: 0)
  }

  @Test func nothingIsHeldAtFirst() throws {
    let stage = try open()
    #expect(stage.received == 0)
    #expect(stage.proof == bench.proof(content, 0))
    try stage.close()
    #expect(!bench.exists("a"))
  }

  /// As a kill leaves it that comes right after the data got its final name.
  @Test func journalWithoutDataIsRemoved() throws {
    try abandon(at: 2 * block, checkpointAt: block)
    let folder = try bench.folder.open()
    try folder.rename(bytes("a"), to: folder, as: bytes("final"), replacing: false)
    let stage = try open()
    #expect(stage.received == 0)
    try stage.close()
    #expect(!bench.exists("a.journal"))
    #expect(bench.exists("final"))
  }

  @Test(arguments: [1, block - 1, block, block + 1, 2 * block + 77, 3 * block + 1000])
  func closedStageIsTakenUpWhole(count: Int) throws {
    let first = try open()
    try bench.fill(first, content, to: count)
    try first.close()
    let stage = try open()
    #expect(stage.proof == bench.proof(content, count))
    #expect(stage.durable == UInt64(count))
  }

  /// The page cache is whole after a kill, and the journal carries the stamp of the last write.
  @Test(arguments: [block, 2 * block, 2 * block + 77])
  func killedProcessLosesNothing(count: Int) throws {
    try abandon(at: count, checkpointAt: block / 2)
    let stage = try open()
    #expect(stage.proof == bench.proof(content, count))
  }

  @Test func killedProcessIsNotReadAgainAtABlocksEnd() throws {
    try abandon(at: 2 * block, checkpointAt: block)
    let stage = try open()
    #expect(stage.durable == UInt64(block))
    #expect(stage.received == UInt64(2 * block))
  }

  /// Killed between a write and its record: all is read again, and what was durable still is.
  @Test func killInsideAWriteKeepsWhatWasDurable() throws {
    try abandon(at: 2 * block, checkpointAt: 2 * block)
    let file = try bench.folder.open().openFile(bytes("a"), .readWrite, permissions: 0)
    try file.write(Array(content[2 * block..<2 * block + 50]), at: UInt64(2 * block))
    let stage = try open()
    #expect(stage.durable == UInt64(2 * block))
    #expect(stage.received == UInt64(2 * block + 50))
    // A sync that fails now costs what came since, and not what was acknowledged before.
    try bench.append(try resumed(stage), content, to: 3 * block)
    bench.trace.fail("sync a", with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try stage.checkpoint() }
    #expect(try open().proof == bench.proof(content, 2 * block))
  }

  private func resumed(_ stage: Stage) throws -> Stage {
    try stage.resume(at: stage.proof)
    return stage
  }

  @Test func powerCutKeepsWhatTheCheckpointCovers() throws {
    try abandon(at: 2 * block + 77, checkpointAt: block + 5)
    bench.reboot()
    // What a disk may do to bytes that were never flushed.
    try change(at: UInt64(block + 6), 0)
    let stage = try open()
    #expect(stage.durable == UInt64(block + 5))
    #expect(stage.received >= UInt64(block + 5))
    #expect(stage.proof == bench.proof(content, Int(stage.received)))
  }

  /// The journal of a file of one block is begun by the checkpoint, and has to say which block that covers.
  @Test func powerCutKeepsAWholeFileOfOneBlock() throws {
    let whole = pattern(block)
    do {
      let killed = try bench.open("one", size: block)
      try bench.fill(killed, whole)
      try killed.checkpoint()
    }
    bench.reboot()
    bench.trace.forget()
    let stage = try bench.open("one", size: block)
    #expect(stage.durable == UInt64(block))
    #expect(stage.proof == bench.proof(whole))
    #expect(bench.trace.bytesRead < block)
  }

  /// A full disk may refuse the record of a block whose data it took. Closing makes a checkpoint all the same.
  @Test func blockWithoutARecordIsNotCalledDurable() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 2 * block)
    try stage.checkpoint()
    bench.trace.fail("write a.journal", with: .noSpace)
    #expect(throws: StoreError(.noSpace, .noSpace)) { try bench.append(stage, content, to: 3 * block) }
    try stage.close()
    #expect(stage.durable == UInt64(2 * block))
    bench.reboot()
    bench.trace.forget()
    let next = try open()
    #expect(next.durable == UInt64(2 * block))
    #expect(bench.trace.bytesRead < 2 * block)
  }

  /// What an older version of this program may have left.
  @Test func checkpointThatCoversMoreThanIsRecordedIsBelievedAsFarAsItIs() throws {
    try abandon(at: 2 * block, checkpointAt: 2 * block)
    let journal = try bench.folder.open().openFile(bytes("a.journal"), .readWrite, permissions: 0)
    let (log, _) = try #require(try RecordLog.open(journal))
    var end: RecordLog.Position?
    try log.scan { _, _, after in
      end = after
      return true
    }
    log.resume(at: end)
    try log.append(.checkpoint(durable: UInt64(3 * block)), stamp: 0)
    let data = try bench.folder.open().openFile(bytes("a"), .readWrite, permissions: 0)
    try data.write(Array(content[2 * block..<3 * block]), at: UInt64(2 * block))
    bench.reboot()
    let stage = try open()
    #expect(stage.durable == UInt64(2 * block))
    #expect(stage.received == UInt64(3 * block))
  }

  /// The data was cut back to a damaged block, and there was no room for a checkpoint that says so.
  @Test func checkpointBehindTheEndOfTheDataIsBelievedAsFarAsThatGoes() throws {
    try abandon(at: 2 * block, checkpointAt: 2 * block)
    try bench.folder.open().openFile(bytes("a"), .readWrite, permissions: 0).truncate(to: UInt64(block))
    bench.reboot()
    bench.trace.forget()
    let stage = try open()
    #expect(stage.durable == UInt64(block))
    #expect(stage.received == UInt64(block))
    #expect(bench.trace.bytesRead < block)
  }

  /// Its size is what somebody has made of it; the list of digests is not made for that.
  @Test func sparseJournalTakesNoMemory() throws {
    try abandon(at: 2 * block, checkpointAt: 2 * block)
    let journal = try bench.folder.open().openFile(bytes("a.journal"), .readWrite, permissions: 0)
    try journal.truncate(to: 1 << 43)
    #expect(try open().proof == bench.proof(content, 2 * block))
  }

  /// Where names reach the disk in any order, the journal of an earlier file could come back and vouch for this one.
  @Test func noByteIsWrittenBeforeTheOldJournalsNameIsGone() throws {
    bench.trace.forget()
    try bench.fill(try open(), content, to: block)
    let names = try #require(bench.trace.events.firstIndex(of: "sync names"))
    let bytes = try #require(bench.trace.events.firstIndex(of: "write a"))
    #expect(names < bytes)
  }

  /// A kill between two steps must not find a journal that has forgotten what is durable.
  @Test func journalThatSaysTooMuchIsReplacedAtOnce() throws {
    try abandon(at: 3 * block, checkpointAt: 3 * block)
    do {
      let stage = try open()
      bench.trace.forget()
      try stage.resume(at: bench.proof(content, block))
      #expect(bench.trace.events.contains("rename a.journal"))
    }
    bench.reboot()
    #expect(try open().durable == UInt64(block))
  }

  /// A full disk is no reason to read it all again at the next try.
  @Test func refusedRoomLeavesTheStageUntouched() throws {
    let first = try open()
    try bench.fill(first, content, to: 2 * block)
    try first.close()
    let second = try open()
    bench.trace.reserveError = .noSpace
    #expect(throws: StoreError(.noSpace, .noSpace)) { try second.resume(at: second.proof) }
    try second.close()
    bench.trace.reserveError = nil
    bench.trace.forget()
    #expect(try open().proof == bench.proof(content, 2 * block))
    #expect(bench.trace.bytesRead < block)
  }

  /// The journal that is begun anew then says less than the one before it.
  @Test func powerCutWhileItIsReadAgainLosesNothing() throws {
    try abandon(at: 3 * block, checkpointAt: 3 * block)
    try change(at: 10, content[10])
    do {
      let stage = try bench.begin("a", size: content.count)
      let isWhole = try stage.takeUpMore(budget: 1)
      #expect(!isWhole)
    }
    bench.reboot()
    #expect(try open().proof == bench.proof(content, 3 * block))
  }

  @Test func powerCutKeepsBlocksThatStillMatch() throws {
    try abandon(at: 3 * block, checkpointAt: block)
    bench.reboot()
    let stage = try open()
    #expect(stage.proof == bench.proof(content, 3 * block))
    #expect(stage.durable == UInt64(block))
  }

  @Test func intruderIsFoundOut() throws {
    let first = try open()
    try bench.fill(first, content, to: 2 * block)
    try first.close()
    try change(at: 10, content[10] ^ 1)
    let stage = try open()
    // Everything was read again: the proof is that of the bytes as they are.
    var other = content
    other[10] ^= 1
    #expect(stage.proof == bench.proof(other, 2 * block))
  }

  @Test func intruderIsFoundOutWhileTheStageIsOpen() throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    try change(at: 10, content[10] ^ 1)
    #expect(throws: StoreError(.changed)) { try stage.checkpoint() }
  }

  @Test func tornJournalIsCutOff() throws {
    let first = try open()
    try bench.fill(first, content, to: 3 * block)
    try first.close()
    try damageJournal { Array($0.dropLast(60)) }
    #expect(try open().proof == bench.proof(content, 3 * block))
  }

  @Test func flippedBitInTheJournalCostsAReadNotTheBytes() throws {
    let first = try open()
    try bench.fill(first, content, to: 3 * block)
    try first.close()
    for position in stride(from: 0, to: 160, by: 13) {
      try damageJournal { journal in
        var journal = journal
        journal[position] ^= 4
        return journal
      }
      #expect(try open().proof == bench.proof(content, 3 * block), "byte \(position)")
    }
  }

  @Test func otherSizeOfTheSourceKeepsTheCommonBlocks() throws {
    let first = try open()
    try bench.fill(first, content, to: 2 * block)
    try first.close()
    let longer = content + pattern(block, seed: 3)
    let stage = try open(size: longer.count)
    #expect(stage.proof == bench.proof(content, 2 * block))
    try bench.fill(stage, longer)
    #expect(stage.proof == bench.proof(longer))
  }

  @Test func resumeRefusesAnotherPrefix() throws {
    do {
      let first = try open()
      try bench.fill(first, content, to: 2 * block)
      #expect(throws: StoreError(.digestMismatch)) {
        try first.resume(at: bench.proof(pattern(content.count, seed: 9), block))
      }
    }
    #expect(try open().received == UInt64(2 * block))
  }

  @Test func resumeCutsBackToTheFork() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 2 * block + 500)
    try stage.checkpoint()
    try stage.resume(at: bench.proof(content, block))
    #expect(stage.received == UInt64(block))
    #expect(stage.durable == UInt64(block))
    let other = Array(content[..<block]) + pattern(2 * block + 1000, seed: 5)
    try bench.append(stage, other)
    #expect(stage.proof == bench.proof(other))
  }

  @Test func damagedBlockIsDroppedAlone() throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    let outcome = try bench.send(stage, content, block..<2 * block, damaged: true)
    #expect(outcome == .damaged(blockStart: UInt64(block)))
    #expect(stage.proof == bench.proof(content, block))
    try bench.append(stage, content)
    #expect(stage.proof == bench.proof(content))
  }

  /// The order in which the blocks of a file come, and which of them arrive damaged each time.
  struct Arrival: CustomStringConvertible, Sendable {
    let description: String
    /// Block, and whether it is damaged.
    let blocks: [(Int, Bool)]

    init(_ order: String) {
      description = order
      blocks = order.split(separator: " ").map { (Int($0.prefix(1))!, $0.hasSuffix("!")) }
    }
  }

  /// What came behind a damaged block counts when the block is there, whatever happened in between.
  @Test(arguments: [
    "0! 1 2 3 4 0", "0 1! 2 3 1 4", "0 1! 2 3! 4 1 3", "0 1! 2 3! 1! 4 3 1", "0! 1! 2! 3! 4! 0 1 2 3 4",
    "0 1 2 3 4! 4", "0 1 2! 3 4! 2 4", "0 1 2! 3 4! 4 2", "0 1 2! 3 4! 4! 2! 4 2", "0! 0! 0 1! 1 2 3 4",
    "0 1! 2! 3 2 4 1",
  ].map(Arrival.init))
  func damagedBlockComesAgain(_ arrival: Arrival) throws {
    let content = pattern(4 * block + 777)
    let stage = try bench.open("d", size: content.count)
    try stage.resume(at: stage.proof)
    var missing: Set<Int> = []
    var next = 0
    for (index, isDamaged) in arrival.blocks {
      let start = index * block
      let end = min(start + block, content.count)
      // In two pieces, and with a checkpoint between them.
      #expect(try bench.send(stage, content, start..<start + 500) == .stored)
      try stage.checkpoint()
      let outcome = try bench.send(stage, content, start + 500..<end, damaged: isDamaged)
      #expect(outcome == (isDamaged ? .damaged(blockStart: UInt64(start)) : .stored))
      next = max(next, index + 1)
      if isDamaged { missing.insert(index) } else { missing.remove(index) }
      let held = min((missing.min() ?? next) * block, content.count)
      #expect(stage.received == UInt64(held) && stage.proof == bench.proof(content, held))
      #expect(stage.durable <= stage.received)
    }
    #expect(missing.isEmpty && stage.received == UInt64(content.count))
    // What was counted late is in the journal like everything else.
    try stage.close()
    let again = try bench.open("d", size: content.count)
    #expect(again.proof == bench.proof(content) && again.durable == UInt64(content.count))
    try again.resume(at: again.proof)
    _ = try again.seal(bench.proof(content))
  }

  /// A block comes again in the middle of another one.
  @Test func repeatedBlockDoesNotDisturbTheOneThatIsComing() throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    _ = try bench.send(stage, content, block..<2 * block, damaged: true)
    #expect(try bench.send(stage, content, 2 * block..<2 * block + 300) == .stored)
    #expect(try bench.send(stage, content, block..<2 * block) == .stored)
    #expect(stage.received == UInt64(2 * block + 300))
    #expect(stage.proof == bench.proof(content, 2 * block + 300))
    try bench.append(stage, content)
    #expect(stage.proof == bench.proof(content))
  }

  /// What came behind a missing block is nowhere written down.
  @Test(arguments: [true, false]) func whatIsAheadIsGivenUp(isClosed: Bool) throws {
    let content = pattern(4 * block)
    do {
      let stage = try bench.open("e", size: content.count)
      try bench.fill(stage, content, to: block)
      _ = try bench.send(stage, content, block..<2 * block, damaged: true)
      for start in 2...3 { _ = try bench.send(stage, content, start * block..<(start + 1) * block) }
      // A slow disk must not have to take all of that at once.
      #expect(stage.unsynced == UInt64(4 * block))
      try stage.checkpoint()
      #expect(stage.durable == UInt64(block) && stage.unsynced == 0)
      if isClosed { try stage.close() }
    }
    let again = try bench.open("e", size: content.count)
    #expect(again.received == UInt64(isClosed ? block : content.count))
    // Without a digest the bytes are what there is; the sender sees where they differ.
    #expect(try again.chain(at: [1]) == [bench.proof(content, block).digest])
    #expect(isClosed || again.proof != bench.proof(content))
    try again.resume(at: bench.proof(content, block))
    try bench.append(again, content)
    #expect(again.proof == bench.proof(content))
  }

  @Test func failedSyncIsNeverRetriedIntoSuccess() throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    try stage.checkpoint()
    try bench.append(stage, content, to: 2 * block)
    bench.trace.fail("sync a", with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try stage.checkpoint() }
    #expect(stage.received == UInt64(block))
    // The next one finds no unsynced bytes that it would have to believe.
    let again = try open()
    #expect(again.received == UInt64(block))
    #expect(again.proof == bench.proof(content, block))
  }

  /// What the disk could not write is told once: the next sync would not hear of it.
  @Test func failedWritebackIsNotBelieved() throws {
    let content = pattern(10 * block)
    let stage = try bench.open("b", size: content.count)
    try bench.fill(stage, content, to: block)
    try stage.checkpoint()
    bench.trace.fail("wait b", with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try bench.append(stage, content) }
    #expect(stage.received == UInt64(block))
    try stage.close()
    let again = try bench.open("b", size: content.count)
    #expect(again.proof == bench.proof(content, block))
    #expect(again.durable == UInt64(block))
  }

  @Test func noMoreThanTwoStepsWaitForTheDisk() throws {
    let content = pattern(13 * block)
    let stage = try bench.open("b", size: content.count)
    try bench.fill(stage, content)
    // Begun at 4, 8 and 12 MiB, waited for a step later.
    #expect(bench.trace.events.filter { $0 == "wait b" }.count == 2)
    #expect(stage.proof == bench.proof(content))
  }

  /// A journal whose sync has failed may differ from what is on the disk, whatever a later sync says.
  @Test(arguments: ["sync a.journal", "sync names"])
  func failedSyncOfTheJournalIsNotRetriedEither(event: String) throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    bench.trace.fail(event, with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try stage.checkpoint() }
    try stage.close()
    #expect(!bench.exists("a.journal"))
    let again = try open()
    #expect(again.received == 0)
    #expect(again.durable == 0)
  }

  @Test func failedSyncOfTheJournalKeepsWhatWasDurable() throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    try stage.checkpoint()
    try bench.append(stage, content, to: 2 * block)
    bench.trace.fail("sync a.journal", with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try stage.checkpoint() }
    try stage.close()
    let again = try open()
    #expect(again.proof == bench.proof(content, block))
    #expect(again.durable == UInt64(block))
  }

  /// Nobody would look for it again.
  @Test func journalThatCouldNotTakeThePlaceOfTheOldOneIsRemoved() throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    try stage.checkpoint()
    bench.trace.fail("sync a", with: .inputOutput)
    bench.trace.fail("sync a.journal.new", with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try stage.checkpoint() }
    #expect(try bench.names() == ["a"])
  }

  /// Killed while it wrote its journal anew.
  @Test(arguments: [true, false])
  func journalThatAKillLeftHalfWrittenGoesWithTheOther(isFinished: Bool) throws {
    try abandon(at: 2 * block, checkpointAt: block)
    bench.folder.makeFile("a.journal.new", "half")
    let stage = try open()
    if isFinished {
      try bench.fill(stage, content)
      _ = try stage.seal(bench.proof(content))
      _ = try stage.install(in: bench.directory, as: bytes("done"), replacing: false)
      stage.letGo()
    } else {
      try stage.discard()
    }
    #expect(try bench.names() == (isFinished ? ["done"] : []))
  }

  /// Killed after the checkpoint's journal was synced and before its name was: the next process may not
  /// pass that checkpoint on as durable.
  @Test func resumeSyncsNamesBeforeItClaims() throws {
    try abandon(at: 2 * block, checkpointAt: block)
    let stage = try open()
    bench.trace.forget()
    try stage.resume(at: stage.proof)
    #expect(bench.trace.events.contains("sync names"))
    #expect(stage.durable == UInt64(block))
  }

  /// Data, then journal, then names: nothing is claimed before it is there.
  @Test func checkpointSyncsInOrder() throws {
    let stage = try open()
    try bench.fill(stage, content, to: block)
    bench.trace.forget()
    try stage.checkpoint()
    #expect(bench.trace.events == ["sync a", "write a.journal", "sync a.journal", "sync names"])
    try bench.append(stage, content, to: 2 * block)
    bench.trace.forget()
    try stage.checkpoint()
    #expect(bench.trace.events == ["sync a", "write a.journal", "sync a.journal"])
  }

  /// The second one must not even look: it would cut the journal of the first to what it believes.
  @Test func stageThatIsBeingWrittenIsLeftAlone() throws {
    let first = try open()
    try bench.fill(first, content, to: 2 * block)
    let journal = try bench.contents("a.journal")
    bench.reboot()
    #expect(throws: StoreError(.locked)) { try open() }
    #expect(try bench.contents("a.journal") == journal)
    try bench.append(first, content)
    try first.close()
    #expect(try open().received == UInt64(content.count))
  }

  @Test func stageThatSomebodyElseBeganIsNotTakenOver() throws {
    let first = try open()
    let second = try open()
    try bench.fill(second, content, to: block)
    #expect(throws: StoreError(.locked)) { try first.resume(at: first.proof) }
    #expect(try bench.contents("a").count == block)
  }

  /// Another program gave the stage's name to its own file: that one must not become ours.
  @Test(arguments: [true, false])
  func installRefusesAnotherFile(isThere: Bool) throws {
    let stage = try open()
    try bench.fill(stage, content)
    try bench.directory.remove(bytes("a"))
    if isThere { bench.folder.makeFile("a", "other") }
    let results = CommitGroup.commit([
      CommitPlan(
        stage: stage, claim: bench.proof(content), directory: bench.directory, name: bytes("done"),
        isReplacing: true)
    ])
    #expect(results.map { (try? $0.get()) == nil } == [true])
    #expect(!bench.exists("done"))
    #expect(bench.exists("a") == isThere)
  }

  /// Who can plant a link where a stage will be must not get another file written.
  @Test(arguments: ["a", "a.journal"])
  func linkIsNotWrittenThrough(name: String) throws {
    bench.folder.makeFile("victim", "precious")
    if name != "a" { bench.folder.makeFile("a", "begun") }
    bench.folder.makeLink(name, to: "victim")
    #expect(throws: StoreError(.badPath, .loop)) { try open() }
    try bench.directory.remove(bytes(name))
    bench.folder.makeHardLink(name, to: "victim")
    #expect(throws: StoreError(.openFailed, .tooManyLinks)) { try open() }
    #expect(try bench.contents("victim") == bytes("precious"))
    #expect(bench.exists(name))
  }

  /// The names of journals to come are no better.
  @Test func newJournalIsANewFile() throws {
    let first = try open()
    try bench.fill(first, content, to: 2 * block)
    try first.close()
    bench.folder.makeFile("victim", "precious")
    bench.folder.makeHardLink("a.journal.new", to: "victim")
    let other = try bench.open("a", size: content.count, modifiedAt: 2_000_000)
    try bench.fill(other, content)
    #expect(try bench.contents("victim") == bytes("precious"))
  }

  /// A peer that answers before it was asked must not get further than an empty answer of ours.
  @Test func emptyProbeHasAnEmptyAnswer() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 2 * block)
    #expect(try stage.chain(at: []) == [])
    #expect(try stage.chain(at: [1, 2]).count == 2)
  }
}
