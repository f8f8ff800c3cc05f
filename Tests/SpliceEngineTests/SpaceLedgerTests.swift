// Uploads that cannot all fit are told so at the start, also where the file system cannot reserve room.

import SpliceBase
import SpliceCore
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

private let block = Int(Limits.blockSize)

@Suite struct SpaceLedgerTests {
  private let bench: StageBench
  private let store: Store

  init() throws {
    bench = try StageBench()
    bench.trace.cannotReserve = true
    bench.trace.freeSpace = 10 << 20
    store = try Store.open(bench.directory, isReadOnly: false, boot: bench.boot)
  }

  /// An upload of so many bytes gets its promise, or an error.
  private func begin(_ name: String, mebibytes: Int, leaving: UInt64 = 0) throws -> Stage {
    let path = try #require(WirePath(bytes(name)))
    let stage = try store.openStage(
      path, size: UInt64(mebibytes * block), modified: Timestamp(seconds: 1, nanoseconds: 0), mode: 0o644, origin: [])
    while try !stage.takeUpMore(budget: Limits.blockSize) {}
    try store.resume(stage, at: stage.proof, leavingFree: leaving)
    return stage
  }

  @Test func uploadsInFlightCountTogether() throws {
    let first = try begin("a", mebibytes: 6)
    #expect(throws: StoreError(.noSpace)) { try begin("b", mebibytes: 5) }
    let second = try begin("c", mebibytes: 4)
    withExtendedLifetime([first, second]) {}
  }

  /// A refused upload must not go on counting, or a full disk stays full for ever.
  @Test func refusedUploadGivesItsPromiseBack() throws {
    let first = try begin("a", mebibytes: 6)
    for _ in 0..<5 { #expect(throws: StoreError(.noSpace)) { try begin("b", mebibytes: 5) } }
    let second = try begin("c", mebibytes: 4)
    withExtendedLifetime([first, second]) {}
  }

  @Test func closedUploadGivesItsPromiseBack() throws {
    try begin("a", mebibytes: 6).close()
    _ = try begin("b", mebibytes: 10)
  }

  /// What is written is gone from the free space already; counting it twice would refuse others.
  @Test func writtenBytesDoNotCountTwice() throws {
    let content = pattern(6 * block)
    let first = try begin("a", mebibytes: 6)
    try bench.append(first, content, to: 4 * block)
    bench.trace.freeSpace = 6 << 20
    #expect(throws: StoreError(.noSpace)) { try begin("b", mebibytes: 5) }
    let second = try begin("c", mebibytes: 4)
    withExtendedLifetime([first, second]) {}
  }

  @Test func roomThatStaysFreeIsAdded() throws {
    let first = try begin("a", mebibytes: 4, leaving: 2 << 20)
    #expect(throws: StoreError(.noSpace)) { try begin("b", mebibytes: 5, leaving: 2 << 20) }
    let second = try begin("c", mebibytes: 4, leaving: 2 << 20)
    withExtendedLifetime([first, second]) {}
  }

  /// Where room is reserved for real the ledger stays out of it: the free space is what is left.
  @Test func reservedRoomIsNotPromised() throws {
    bench.trace.cannotReserve = false
    let first = try begin("a", mebibytes: 6)
    let second = try begin("b", mebibytes: 6)
    withExtendedLifetime([first, second]) {}
  }
}
