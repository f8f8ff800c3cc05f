// Folders whose names are synced once: whoever made them, and not on trust.

import SpliceSystem
import Testing

@testable import SpliceEngine

@Suite struct DurableFoldersTests {
  private let bench: StageBench
  private let folders = DurableFolders()

  init() throws {
    bench = try StageBench()
    _ = try bench.directory.makePath(bytes("a/b/c"), permissions: 0o755)
    bench.trace.forget()
  }

  /// How many folders are synced for `path`.
  private func syncs(_ path: String) throws -> Int {
    bench.trace.forget()
    try folders.makeDurable(bytes(path), below: bench.directory)
    return bench.trace.events.count
  }

  @Test(arguments: [("", 0), ("a", 1), ("a/b/c", 3), ("a//b/", 2)])
  func eachNameIsSyncedOnce(path: String, count: Int) throws {
    #expect(try syncs(path) == count)
    #expect(try syncs(path) == 0)
  }

  @Test func failedSyncIsNotRemembered() throws {
    bench.trace.fail("sync names", with: .inputOutput, after: 1)
    #expect(throws: Errno.inputOutput) { try syncs("a/b/c") }
    #expect(try syncs("a/b/c") == 3)
  }

  /// A folder that is removed and made again has a new name.
  @Test func whatIsForgottenIsSyncedAgain() throws {
    #expect(try syncs("a/b") == 2)
    folders.forget()
    #expect(try syncs("a/b") == 2)
  }

  @Test func aFileSystemWithoutSuchASyncLosesNothing() throws {
    bench.trace.fail("sync names", with: .invalid)
    #expect(try syncs("a/b") == 2)
  }
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
