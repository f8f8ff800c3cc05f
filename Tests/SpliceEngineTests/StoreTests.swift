// What the store does with a finished file before somebody is told that it need not be sent.

import SpliceBase
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

@Suite struct StoreTests {
  private let bench: StageBench

  init() throws {
    bench = try StageBench()
    bench.folder.makeDirectory("folder")
    bench.folder.makeFile("folder/file", "content")
  }

  private func makeDurable() throws {
    let store = try Store.open(bench.directory, isReadOnly: true, boot: bench.boot)
    bench.trace.forget()
    try store.makeDurable(try #require(WirePath(bytes("folder/file"))))
  }

  /// Somebody copied it there, or a daemon was killed before it synced the name.
  @Test func fileIsSyncedWithItsName() throws {
    try makeDurable()
    #expect(bench.trace.events == ["sync folder/file", "sync names", "sync names"])
  }

  /// A daemon may have been killed between making its folders and syncing their names.
  @Test func ownFoldersAreSyncedAtEachStart() throws {
    _ = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
    bench.trace.forget()
    _ = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
    #expect(bench.trace.events == ["sync names", "sync names"])
  }

  @Test func folderThatWasThereIsSyncedBeforeAFileGoesIn() throws {
    let store = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
    let path = try #require(WirePath(bytes("folder/new")))
    func plan() throws -> [String] {
      bench.trace.forget()
      var folders = CommitFolders()
      _ = try store.planCommit(
        bench.open("a", size: 1), to: path, in: &folders, claim: bench.proof([1]), replacing: true)
      return bench.trace.events
    }
    #expect(try plan() == ["sync names"])
    #expect(try plan().isEmpty)
    bench.folder.makeDirectory("empty")
    try store.remove(try #require(WirePath(bytes("empty"))))
    #expect(try plan() == ["sync names"])
  }

  /// The kernel tells a descriptor once of what could not be written: if the commits of a round hear it, those whose files
  /// are there already have to hear it, too.
  @Test func whatIsKeptIsSyncedByAnotherDescriptorThanWhatIsCommitted() throws {
    let store = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
    for name in ["folder/here", "folder/there"] { bench.folder.makeFile(name, "content") }
    var folders = RoundFolders()
    let commit = try store.planCommit(
      bench.open("a", size: 1), to: try #require(WirePath(bytes("folder/new"))), in: &folders.ofCommits,
      claim: bench.proof([1]), replacing: true)
    let keeps = try ["folder/here", "folder/there"].map {
      try store.planKeeping(try #require(WirePath(bytes($0))), nil, in: &folders.ofKeeps)
    }
    #expect(keeps[0].directory !== commit.directory)
    #expect(keeps[1].directory === keeps[0].directory)
  }

  @Test func keepingMakesNoFolder() throws {
    let store = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
    var folders = CommitFolders()
    #expect(throws: StoreError.self) {
      _ = try store.planKeeping(try #require(WirePath(bytes("gone/file"))), nil, in: &folders)
    }
    #expect(!bench.exists("gone"))
  }

  /// Between the rename and the end of the commit somebody may ask for the file, and have it read.
  @Test func digestsThatAReaderHasMadeAreNotRepeated() throws {
    let block = Int(Limits.blockSize)
    let content = pattern(3 * block + 7)
    let store = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
    let path = try #require(WirePath(bytes("new")))
    let stage = try bench.open("a", size: content.count)
    try bench.fill(stage, content)
    _ = try stage.seal(bench.proof(content))
    let status = try stage.install(in: bench.directory, as: bytes("new"), replacing: true)
    #expect(try store.openSource(path).extendBook(toCover: UInt64(2 * block), budget: .max))
    store.keepDigests(of: stage, status, path)
    let source = try store.openSource(path)
    #expect(source.book.isComplete)
    #expect(try source.proof(of: source.size) == bench.proof(content))
  }

  @Test func removedPartialLeavesNothing() throws {
    let store = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
    let path = try #require(WirePath(bytes("new")))
    let stage = try store.openStage(path, size: 10, modified: .later, mode: 0o600, origin: [])
    try bench.fill(stage, pattern(10))
    try stage.checkpoint()
    let stages = try bench.directory.openDirectory(bytes(".splice/stage"))
    let id = Store.stageID(path)
    _ = try stages.openFile(Store.journalName(of: id) + bytes(".new"), .createNew, permissions: 0o600)
    try store.discardPartial(path)
    #expect(try stages.reader().next() == nil)
  }

  @Test(arguments: ["sync folder/file", "sync names"])
  func failedSyncIsNotHidden(event: String) throws {
    bench.trace.fail(event, with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try makeDurable() }
  }

  @Test(arguments: [
    (StoreError(.noEntry, otherwise: .openFailed), "no such file"),
    (StoreError(.exists, otherwise: .openFailed), "file exists"),
    (StoreError(.noSpace, otherwise: .writeFailed), "no space left"),
    (StoreError(.quota, otherwise: .writeFailed), "no space left: disk quota exceeded"),
    (StoreError(.readOnly, otherwise: .writeFailed), "denied: file system is read-only"),
    (StoreError(.inputOutput, otherwise: .writeFailed), "write failed: input/output error"),
    (StoreError(.locked), "another client is writing it"),
  ])
  func sentenceSaysEachThingOnce(error: StoreError, expected: String) {
    #expect(text(error.sentence) == expected)
  }

  /// Who fetches the folder would pass over it, and say that all is there.
  @Test(arguments: [Errno.inputOutput, .accessDenied, .noMemory])
  func fileThatCannotBeLookedAtIsNotCalledSomethingElse(error: Errno) throws {
    bench.trace.statusErrors["file"] = error
    let failure = #expect(throws: StoreError.self) { _ = try listing("folder") }
    #expect(failure?.cause == error)
  }

  private func listing(_ path: String) throws -> [String: EntryKind] {
    let store = try Store.open(bench.directory, isReadOnly: true, boot: bench.boot)
    let reader = try store.reader(path.isEmpty ? .root : try #require(WirePath(bytes(path))))
    let (entries, isLast) = try reader.next()
    #expect(isLast)
    return Dictionary(uniqueKeysWithValues: entries.map { (text($0.name), $0.kind) })
  }

  /// As a peer that asks for them: from the root, and not beyond it.
  @Test func linksOfAListingAreFollowedFromTheRoot() throws {
    bench.folder.makeDirectory("other")
    bench.folder.makeFile("other/file", "content")
    bench.folder.makeLink("folder/to file", to: "../other/file")
    bench.folder.makeLink("folder/to folder", to: "../other")
    bench.folder.makeLink("folder/own", to: "file")
    bench.folder.makeLink("folder/out", to: "../../etc")
    bench.folder.makeLink("folder/nowhere", to: "missing")
    #expect(
      try listing("folder") == [
        "file": .file, "to file": .file, "to folder": .directory, "own": .file, "out": .other, "nowhere": .other,
      ])
  }

  /// A walk down the tree would not come to an end.
  @Test func linksBackAreNotFollowed() throws {
    bench.folder.makeDirectory("folder/sub")
    bench.folder.makeLink("folder/sub/self", to: ".")
    bench.folder.makeLink("folder/sub/up", to: "../../folder")
    bench.folder.makeLink("folder/sub/root", to: "../..")
    bench.folder.makeLink("way", to: "folder/sub")
    #expect(try listing("folder/sub") == ["self": .other, "up": .other, "root": .other])
    #expect(try listing("way") == ["self": .other, "up": .directory, "root": .other])
    #expect(try listing("")["way"] == .directory)
  }
}
