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

  private func settle() throws {
    let store = try Store.open(bench.directory, isReadOnly: true, boot: bench.boot)
    let path = try #require(WirePath(bytes("folder/file")))
    let status = try #require(try store.existing(path))
    bench.trace.forget()
    try store.settle(path, status)
  }

  /// Somebody copied it there, or a daemon was killed before it synced the name.
  @Test func fileOfThisBootIsSyncedWithItsName() throws {
    try settle()
    #expect(bench.trace.events == ["sync folder/file", "sync names"])
  }

  @Test func fileThatSurvivedABootIsLeftAlone() throws {
    bench.reboot()
    try settle()
    #expect(bench.trace.events == [])
  }

  @Test(arguments: ["sync folder/file", "sync names"])
  func failedSyncIsNotHidden(event: String) throws {
    bench.trace.fail(event, with: .inputOutput)
    let store = try Store.open(bench.directory, isReadOnly: true, boot: bench.boot)
    let path = try #require(WirePath(bytes("folder/file")))
    let status = try #require(try store.existing(path))
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try store.settle(path, status) }
  }
}
