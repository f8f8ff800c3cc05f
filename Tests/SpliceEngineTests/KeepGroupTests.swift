// What is there already is called durable only when it is, alone or in company.

import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

@Suite struct KeepGroupTests {
  private let bench: StageBench

  init() throws { bench = try StageBench() }

  /// Plans for so many files a, b, c …
  private func plans(_ count: Int) throws -> [KeepPlan] {
    try "abcdefgh".prefix(count).map { letter in
      bench.folder.makeFile(String(letter), "content of \(letter)")
      return KeepPlan(
        file: try bench.directory.openFile(bytes(String(letter)), .read, permissions: 0), directory: bench.directory)
    }
  }

  @Test func nothingToKeepNeedsNoSync() {
    #expect(KeepGroup.sync([]).isEmpty)
    #expect(bench.trace.events.isEmpty)
  }

  @Test func aFewAreSyncedOneByOneAndTheirFolderOnce() throws {
    let results = KeepGroup.sync(try plans(3))
    #expect(outcomes(results) == "ok ok ok")
    #expect(try results[0].get().size == 12)
    #expect(bench.trace.events == ["sync a", "sync names", "sync b", "sync c"])
  }

  @Test func failedSyncOfTheirFolderFailsAllThatShareIt() throws {
    let plans = try plans(3)
    bench.trace.fail("sync names", with: .inputOutput)
    #expect(outcomes(KeepGroup.sync(plans)) == "writeFailed writeFailed writeFailed")
  }

  @Test func manyShareOneSync() throws {
    #expect(outcomes(KeepGroup.sync(try plans(4))) == "ok ok ok ok")
    #expect(bench.trace.events == ["syncfs", "wait a", "wait b", "wait c", "wait d"])
  }

  @Test func failedSyncFailsAllThatShareIt() throws {
    let plans = try plans(4)
    bench.trace.fail("syncfs", with: .inputOutput)
    #expect(outcomes(KeepGroup.sync(plans)) == "writeFailed writeFailed writeFailed writeFailed")
    #expect(bench.trace.events == ["syncfs"])
  }

  @Test func failedWriteOfOneFileFailsThatOne() throws {
    let plans = try plans(4)
    bench.trace.fail("wait b", with: .inputOutput)
    #expect(outcomes(KeepGroup.sync(plans)) == "ok writeFailed ok ok")
  }

  /// As on an overlay: nobody knows which file system has the bytes.
  @Test func filesWithADeviceOfTheirOwnAreSyncedByThemselves() throws {
    let plans = try plans(4)
    bench.trace.device = 4711
    #expect(outcomes(KeepGroup.sync(plans)) == "ok ok ok ok")
    #expect(bench.trace.events == ["sync a", "sync names", "sync b", "sync c", "sync d"])
  }
}
