// A short file has no name until it is whole, or until somebody may come back for a part of it.

import SpliceBase
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

@Suite struct ShortStageTests {
  private let bench: StageBench
  private let content = pattern(Int(Limits.shortFileMax))

  init() throws { bench = try StageBench() }

  private func open() throws -> Stage { try bench.open("a", size: content.count) }

  @Test func killedProcessLeavesNothing() throws {
    do {
      let stage = try open()
      try bench.fill(stage, content, to: 1000)
      #expect(try bench.names().isEmpty)
    }
    #expect(try bench.names().isEmpty)
    #expect(try open().received == 0)
  }

  @Test func longerFileHasANameAtOnce() throws {
    let content = pattern(Int(Limits.shortFileMax) + 1)
    let stage = try bench.open("a", size: content.count)
    try bench.fill(stage, content, to: 1)
    #expect(try bench.names() == ["a"])
  }

  @Test func partOfItIsKeptWhenItIsClosed() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 1000)
    bench.trace.forget()
    try stage.close()
    let events = bench.trace.events.filter { !$0.hasPrefix("write") }
    #expect(events == ["link a", "sync a", "sync a.journal", "sync names"])
    let next = try open()
    #expect(next.received == 1000)
    #expect(next.durable == 1000)
    try bench.fill(next, content)
    #expect(next.proof == bench.proof(content))
  }

  @Test func partOfItIsKeptWhenAWriteHasFailed() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 1000)
    bench.trace.fail("write nameless", with: .noSpace)
    #expect(throws: StoreError.self) { try bench.append(stage, content) }
    try stage.close()
    #expect(try bench.names() == ["a"])
    #expect(try open().received == 1000)
  }

  /// Of an earlier file that had this name: it must not vouch for the new one.
  @Test func journalOfAnEarlierFileGoesBeforeTheNameIsThere() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 1000)
    bench.trace.fail("write nameless", with: .noSpace)
    #expect(throws: StoreError.self) { try bench.append(stage, content) }
    bench.folder.makeFile("a.journal", "old")
    var wasThere = true
    bench.trace.whenNoted["link a"] = { [bench] in wasThere = bench.exists("a.journal") }
    try stage.close()
    #expect(!wasThere)
  }

  @Test(arguments: [Errno.inputOutput, .noSpace]) func nameThatIsRefusedIsAnError(error: Errno) throws {
    let stage = try open()
    try bench.fill(stage, content, to: 1000)
    bench.trace.fail("link a", with: error)
    let refused = #expect(throws: StoreError.self) { try stage.checkpoint() }
    #expect(refused?.cause == error)
    #expect(stage.durable == 0)
    // Another try is another name, not another sync of what was refused.
    try stage.checkpoint()
    #expect(stage.durable == 1000)
  }

  @Test func checkpointGivesItAName() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 1000)
    try stage.checkpoint()
    #expect(stage.durable == 1000)
    #expect(try bench.names() == ["a", "a.journal"])
    // And takes the lock, as for any other.
    let error = #expect(throws: StoreError.self) { _ = try open() }
    #expect(error?.code == .locked)
    try bench.append(stage, content)
    try stage.close()
    #expect(try open().received == UInt64(content.count))
  }

  /// Neither removed nor replaced, and not taken for this one's.
  @Test(arguments: [true, false]) func stageThatSomebodyElseBeganMeanwhileIsLeftAlone(isDiscarded: Bool) throws {
    let stage = try open()
    try bench.fill(stage, content, to: 1000)
    bench.folder.makeFile("a", "theirs")
    bench.folder.makeFile("a.journal", "theirs, too")
    if isDiscarded {
      try stage.discard()
    } else {
      let error = #expect(throws: StoreError.self) { try stage.close() }
      #expect(error?.code == .locked)
    }
    #expect(try bench.contents("a") == bytes("theirs"))
    #expect(try bench.names() == ["a", "a.journal"])
  }

  @Test func partialIsForItsOwnerOnly() throws {
    let stage = try open()
    try bench.fill(stage, content, to: 1000)
    try stage.close()
    #expect(try bench.directory.status(bytes("a"), followLinks: false).mode == 0o600)
  }
}
