// Who may write a path: one at a time, and the latest try of the same upload before older ones.

import SpliceBase
import SpliceWire
import Testing

@testable import SpliceEngine

@Suite struct LeaseTableTests {
  private let table = LeaseTable()
  private let path = WirePath(Array("a/b".utf8))!
  private let upload = UploadID(bytes: [UInt8](repeating: 1, count: UploadID.byteCount))
  private let other = UploadID(bytes: [UInt8](repeating: 2, count: UploadID.byteCount))

  private func address(_ session: UInt64) -> StreamAddress { StreamAddress(worker: 0, session: session, stream: 1) }
  private func at(_ milliseconds: UInt64) -> Instant { Instant(milliseconds: milliseconds) }

  private func acquire(
    _ session: UInt64, _ upload: UploadID?, fence: UInt64 = 1, quietMin: UInt64 = 0, at time: UInt64 = 0
  ) -> LeaseTable.OnAcquire {
    table.acquire(
      path, for: address(session), name: Array("client \(session)".utf8), upload: upload, fence: fence,
      quietMin: quietMin, now: at(time))
  }

  private func locked(by session: UInt64, received: UInt64, quiet: UInt64) -> LeaseTable.OnAcquire {
    .locked(holder: Array("client \(session)".utf8), received: received, quietMilliseconds: quiet)
  }

  @Test func secondWriterHearsHowFarTheFirstIs() {
    #expect(acquire(1, upload) == .granted)
    table.note(path, holder: address(1), received: 77, now: at(100))
    #expect(acquire(2, other, at: 350) == locked(by: 1, received: 77, quiet: 250))
    #expect(acquire(2, nil, at: 350) == locked(by: 1, received: 77, quiet: 250))
  }

  @Test func noteOfSomebodyElseDoesNotCount() {
    #expect(acquire(1, upload) == .granted)
    table.note(path, holder: address(2), received: 77, now: at(100))
    #expect(acquire(2, other, at: 100) == locked(by: 1, received: 0, quiet: 100))
  }

  /// For clients that have no name: who sends is not pushed aside, who was quiet is.
  @Test func newerTryWaitsUntilTheOlderIsQuiet() {
    #expect(acquire(1, upload, fence: 5, quietMin: 1000) == .granted)
    table.note(path, holder: address(1), received: 9, now: at(500))
    #expect(acquire(2, upload, fence: 6, quietMin: 1000, at: 1499) == .tooSoon(holder: Array("client 1".utf8)))
    #expect(acquire(2, other, fence: 6, quietMin: 1000, at: 1499) == locked(by: 1, received: 9, quiet: 999))
    #expect(acquire(2, upload, fence: 6, quietMin: 1000, at: 1500) == .waiting(for: address(1), replacing: nil))
  }

  @Test func newerTryTakesOver() {
    #expect(acquire(1, upload, fence: 5) == .granted)
    #expect(acquire(2, upload, fence: 6) == .waiting(for: address(1), replacing: nil))
    #expect(table.release(path, by: address(1)) == address(2))
    #expect(acquire(2, upload, fence: 6) == .granted)
  }

  @Test func olderTryIsTurnedAway() {
    #expect(acquire(1, upload, fence: 5) == .granted)
    #expect(acquire(2, upload, fence: 5) == .superseded)
    #expect(acquire(2, upload, fence: 4) == .superseded)
  }

  @Test func onlyTheNewestWaits() {
    #expect(acquire(1, upload, fence: 5) == .granted)
    #expect(acquire(3, upload, fence: 7) == .waiting(for: address(1), replacing: nil))
    #expect(acquire(2, upload, fence: 6) == .superseded)
    #expect(table.release(path, by: address(1)) == address(3))
  }

  @Test func replacedWaiterIsNamed() {
    #expect(acquire(1, upload, fence: 5) == .granted)
    #expect(acquire(2, upload, fence: 6) == .waiting(for: address(1), replacing: nil))
    #expect(acquire(3, upload, fence: 7) == .waiting(for: address(1), replacing: address(2)))
    #expect(table.release(path, by: address(1)) == address(3))
  }

  @Test func waiterThatGoesAwayIsNotWoken() {
    #expect(acquire(1, upload, fence: 5) == .granted)
    #expect(acquire(2, upload, fence: 6) == .waiting(for: address(1), replacing: nil))
    #expect(table.release(path, by: address(2)) == nil)
    #expect(table.release(path, by: address(1)) == nil)
  }

  @Test func strangerCannotRelease() {
    #expect(acquire(1, upload) == .granted)
    #expect(table.release(path, by: address(9)) == nil)
    #expect(acquire(2, other) == locked(by: 1, received: 0, quiet: 0))
  }

  @Test func stageIsHeldWhileItsPathIs() {
    let id = Store.stageID(path)
    #expect(!table.isStageHeld(id))
    #expect(acquire(1, upload) == .granted)
    #expect(table.isStageHeld(id))
    _ = table.release(path, by: address(1))
    #expect(!table.isStageHeld(id))
  }
}
