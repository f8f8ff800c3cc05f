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
    #expect(bench.trace.events == ["sync folder/file", "sync names"])
  }

  @Test(arguments: ["sync folder/file", "sync names"])
  func failedSyncIsNotHidden(event: String) throws {
    bench.trace.fail(event, with: .inputOutput)
    #expect(throws: StoreError(.writeFailed, .inputOutput)) { try makeDurable() }
  }
}
