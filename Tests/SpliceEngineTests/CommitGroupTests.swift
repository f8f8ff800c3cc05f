// A receipt comes only after its data and its name are on stable storage, alone or in company.

import SpliceBase
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

@Suite struct CommitGroupTests {
  private let bench: StageBench
  /// Of a file that has no name until it is committed, where the file system can.
  private let content = pattern(5000)

  init() throws { bench = try StageBench() }

  /// Plans for so many filled stages a, b, c …, to become a.done, b.done …
  private func plans(_ count: Int, isReplacing: Bool = true) throws -> [CommitPlan] {
    let plans = try "abcdefgh".prefix(count).map { letter in
      let stage = try bench.open(String(letter), size: content.count)
      try bench.fill(stage, content)
      return CommitPlan(
        stage: stage, claim: bench.proof(content), directory: bench.directory, name: bytes("\(letter).done"),
        isReplacing: isReplacing)
    }
    bench.trace.forget()
    return plans
  }

  @Test(arguments: [true, false]) func oneFileIsSyncedByItself(isNamed: Bool) throws {
    bench.trace.cannotOpenNameless = isNamed
    let results = CommitGroup.commit(try plans(1))
    #expect(outcomes(results) == "ok")
    #expect(bench.trace.events == (isNamed ? [] : ["link a"]) + ["sync a", "rename a.done", "sync names"])
    #expect(try bench.contents("a.done") == content)
  }

  @Test(arguments: [1, 4]) func finishedFileHasTheSendersAttributes(count: Int) throws {
    let status = try CommitGroup.commit(try plans(count))[0].get()
    #expect(status.mode == 0o640)
    #expect(status.modified == Timestamp(seconds: 1_000_000, nanoseconds: 0))
    #expect(status.size == 5000)
  }

  /// Made with more than the mask of this process lets through, or with less than its owner needs until it is whole.
  @Test(arguments: [0o666, 0o400, 0o755] as [UInt32], [true, false])
  func modeIsTheSendersInTheEnd(mode: UInt32, isNamed: Bool) throws {
    bench.trace.cannotOpenNameless = isNamed
    let stage = try bench.open("a", size: content.count, mode: mode)
    try bench.fill(stage, content)
    let plan = CommitPlan(
      stage: stage, claim: bench.proof(content), directory: bench.directory, name: bytes("a.done"),
      isReplacing: true)
    #expect(try CommitGroup.commit([plan])[0].get().mode == mode)
    #expect(try bench.directory.status(bytes("a.done"), followLinks: false).mode == mode)
  }

  @Test func aFewFilesShareTheSyncOfTheirFolder() throws {
    let results = CommitGroup.commit(try plans(2))
    #expect(outcomes(results) == "ok ok")
    #expect(
      bench.trace.events == [
        "link a", "link b", "sync a", "sync b", "rename a.done", "rename b.done", "sync names",
      ])
  }

  /// A descriptor is told once of what could not be written: asked again for the second file, it would say that all is well.
  @Test func failedSyncOfTheirFolderFailsAllThatShareIt() throws {
    let plans = try plans(3)
    bench.trace.fail("sync names", with: .inputOutput)
    #expect(outcomes(CommitGroup.commit(plans)) == "writeFailed writeFailed writeFailed")
  }

  @Test func filesOfOtherFoldersHaveSyncsOfTheirOwn() throws {
    var plans = try plans(3)
    let other = TracingDirectory(try bench.folder.open(), bench.trace)
    plans[1] = CommitPlan(
      stage: plans[1].stage, claim: plans[1].claim, directory: other, name: plans[1].name, isReplacing: true)
    bench.trace.fail("sync names", with: .inputOutput, after: 1)
    #expect(outcomes(CommitGroup.commit(plans)) == "ok writeFailed ok")
    #expect(bench.trace.events.filter { $0 == "sync names" }.count == 2)
  }

  @Test func folderThatCannotBeAskedForItsDeviceFailsTheFileBeforeItsName() throws {
    let plans = try plans(4)
    bench.trace.statusErrors[""] = .inputOutput
    #expect(outcomes(CommitGroup.commit(plans)) == "writeFailed writeFailed writeFailed writeFailed")
    #expect(!bench.trace.events.contains { $0.hasPrefix("link") })
  }

  @Test func filesOfOneFolderAreCommittedThroughOneDescriptor() throws {
    var folders = CommitFolders()
    var opened: [String] = []
    func folder(_ path: String) throws -> any Directory {
      try folders.folder(at: bytes(path)) { () throws(Errno) in
        opened.append(path)
        return TracingDirectory(bench.directory, bench.trace)
      }
    }
    let first = try folder("a/b")
    #expect(try folder("a/b") === first)
    #expect(try folder("a") !== first)
    #expect(opened == ["a/b", "a"])
  }

  @Test func folderThatCannotBeOpenedIsTriedAgain() throws {
    var folders = CommitFolders()
    #expect(throws: Errno.accessDenied) {
      _ = try folders.folder(at: bytes("a")) { () throws(Errno) in throw .accessDenied }
    }
    #expect(try folders.folder(at: bytes("a")) { () throws(Errno) in bench.directory } === bench.directory)
  }

  @Test func manyFilesShareTwoSyncs() throws {
    bench.trace.cannotOpenNameless = true
    let results = CommitGroup.commit(try plans(5))
    #expect(outcomes(results) == "ok ok ok ok ok")
    #expect(
      bench.trace.events == [
        "syncfs", "wait a", "wait b", "wait c", "wait d", "wait e", "rename a.done", "rename b.done",
        "rename c.done", "rename d.done", "rename e.done", "syncfs",
      ])
    for letter in "abcde" { #expect(try bench.contents("\(letter).done") == content) }
  }

  @Test func manyShortFilesGetTheirFirstNamesBetweenTwoSyncs() throws {
    let results = CommitGroup.commit(try plans(4))
    #expect(outcomes(results) == "ok ok ok ok")
    #expect(
      bench.trace.events == ["syncfs"] + [String](repeating: "wait nameless", count: 4)
        + ["link a.done", "link b.done", "link c.done", "link d.done", "syncfs"])
    #expect(try bench.names() == ["a.done", "b.done", "c.done", "d.done"])
    for letter in "abcd" { #expect(try bench.contents("\(letter).done") == content) }
  }

  /// A link cannot replace: there it takes a name to be renamed from, which is on the disk before the old file goes.
  @Test func shortFilesReplaceOlderOnes() throws {
    bench.folder.makeFile("b.done", "older")
    let results = CommitGroup.commit(try plans(4))
    #expect(outcomes(results) == "ok ok ok ok")
    let installed = bench.trace.events.filter { !$0.hasPrefix("wait") }
    #expect(
      installed == [
        "link b", "syncfs", "link a.done", "rename b.done", "link c.done", "link d.done", "syncfs",
      ])
    #expect(try bench.contents("b.done") == content)
    #expect(try bench.names() == ["a.done", "b.done", "c.done", "d.done"])
  }

  @Test func failedSyncOfTheDataFailsTheWholeGroupBeforeAnyName() throws {
    let plans = try plans(4)
    bench.trace.fail("syncfs", with: .inputOutput)
    let results = CommitGroup.commit(plans)
    #expect(outcomes(results) == "writeFailed writeFailed writeFailed writeFailed")
    #expect(!bench.trace.events.contains { $0.hasPrefix("rename") || $0.hasPrefix("link") })
    #expect(try bench.names().isEmpty)
    // Nothing that was not durable before is believed again.
    for plan in plans { #expect(plan.stage.received == 0) }
  }

  /// A folder below the root can be another file system; the one of the data is what has to be synced.
  @Test func dataIsSyncedWhereItIs() throws {
    var plans = try plans(4)
    let elsewhere = try StageBench()
    plans[0] = CommitPlan(
      stage: plans[0].stage, claim: plans[0].claim, directory: elsewhere.directory, name: plans[0].name,
      isReplacing: true)
    elsewhere.trace.device = 4711
    _ = CommitGroup.commit(plans)
    #expect(!elsewhere.trace.events.contains("syncfs"))
    #expect(bench.trace.events.first == "syncfs")
  }

  @Test(arguments: [true, false]) func failedWriteOfOneFileFailsThatOne(isNamed: Bool) throws {
    bench.trace.cannotOpenNameless = isNamed
    let plans = try plans(4)
    if isNamed {
      bench.trace.fail("wait c", with: .inputOutput)
    } else {
      bench.trace.fail("wait nameless", with: .inputOutput, after: 2)
    }
    #expect(outcomes(CommitGroup.commit(plans)) == "ok ok writeFailed ok")
    #expect(!bench.exists("c.done"))
    #expect(bench.exists("d.done"))
  }

  @Test func failedSyncOfTheNamesGivesNobodyAReceipt() throws {
    let plans = try plans(4)
    bench.trace.fail("syncfs", with: .inputOutput, after: 1)
    #expect(outcomes(CommitGroup.commit(plans)) == "writeFailed writeFailed writeFailed writeFailed")
  }

  /// Where names reach the disk in any order, the journal could be gone and the stage be there still.
  @Test(arguments: [false, true])
  func journalStaysUntilTheNameIsDurable(isRefused: Bool) throws {
    let content = pattern(2 * Int(Limits.blockSize) + 7)
    let stage = try bench.open("a", size: content.count)
    try bench.fill(stage, content)
    try stage.checkpoint()
    if isRefused { bench.trace.fail("sync names", with: .inputOutput) }
    let results = CommitGroup.commit([
      CommitPlan(
        stage: stage, claim: bench.proof(content), directory: bench.directory, name: bytes("a.done"),
        isReplacing: true)
    ])
    #expect(outcomes(results) == (isRefused ? "writeFailed" : "ok"))
    #expect(bench.exists("a.done"))
    #expect(bench.exists("a.journal") == isRefused)
  }

  @Test(arguments: [true, false]) func failedNameFailsOnlyItsFile(isNamed: Bool) throws {
    bench.trace.cannotOpenNameless = isNamed
    let plans = try plans(4)
    bench.trace.fail(isNamed ? "rename d.done" : "link d.done", with: .noSpace)
    #expect(outcomes(CommitGroup.commit(plans)) == "ok ok ok noSpace")
  }

  @Test(arguments: [true, false]) func takenNameFailsOnlyItsFile(isNamed: Bool) throws {
    bench.trace.cannotOpenNameless = isNamed
    bench.folder.makeFile("b.done", "older")
    let results = CommitGroup.commit(try plans(4, isReplacing: false))
    #expect(outcomes(results) == "ok exists ok ok")
    #expect(try bench.contents("b.done") == bytes("older"))
  }

  /// A file system without a journal writes the count of a first name only with a change of attributes behind it.
  @Test(arguments: [1, 4]) func firstNameOfAFileThatIsSyncedOrReplacesComesBeforeItsAttributes(count: Int) throws {
    bench.folder.makeFile("a.done", "older")
    let plans = try plans(count)
    bench.trace.notesDates = true
    #expect(outcomes(CommitGroup.commit(plans)) == [String](repeating: "ok", count: count).joined(separator: " "))
    #expect(bench.trace.events.prefix(2) == ["link a", "date a"])
  }

  /// Put there by another program since it was looked for: the next try replaces it.
  @Test func nameThatIsTakenInTheLastMomentFailsOnlyItsFile() throws {
    let plans = try plans(4)
    bench.trace.whenNoted["link c.done"] = { [bench] in bench.folder.makeFile("c.done", "theirs") }
    #expect(outcomes(CommitGroup.commit(plans)) == "ok ok changed ok")
    #expect(try bench.contents("c.done") == bytes("theirs"))
  }

  /// What is not known to be on the disk gets no receipt, whatever a mount does to the numbers of devices.
  @Test func groupWithoutAFolderOnItsFileSystemFails() throws {
    let elsewhere = try StageBench()
    elsewhere.trace.device = 4711
    let plans = try plans(4).map { plan in
      CommitPlan(
        stage: plan.stage, claim: plan.claim, directory: elsewhere.directory, name: plan.name, isReplacing: true)
    }
    #expect(outcomes(CommitGroup.commit(plans)) == "badPath badPath badPath badPath")
    #expect(try elsewhere.names().isEmpty)
  }

  /// Overlays whose layers are different file systems give a file another device than its folder.
  @Test func filesWithADeviceOfTheirOwnAreSyncedWithTheirFolder() throws {
    bench.trace.device = 4711
    #expect(outcomes(CommitGroup.commit(try plans(4))) == "ok ok ok ok")
    #expect(bench.trace.events.count { $0 == "syncfs" } == 2)
  }

  @Test func wrongProofFailsBeforeAnythingIsSyncedOrNamed() throws {
    var plans = try plans(1)
    plans[0] = CommitPlan(
      stage: plans[0].stage, claim: bench.proof(pattern(5000, seed: 7)), directory: bench.directory,
      name: bytes("a.done"), isReplacing: true)
    #expect(outcomes(CommitGroup.commit(plans)) == "digestMismatch")
    #expect(bench.trace.events == ["link a"])
  }

  @Test func writeBySomebodyElseIsNoticed() throws {
    bench.trace.cannotOpenNameless = true
    let plans = try plans(1)
    let intruder = try bench.folder.open().openFile(bytes("a"), .readWrite, permissions: 0)
    try intruder.write([1, 2, 3], at: 100)
    #expect(outcomes(CommitGroup.commit(plans)) == "changed")
    #expect(!bench.exists("a.done"))
  }
}
