// SPDX-License-Identifier: Apache-2.0
// One name, two uploads: a stranger waits, the same client takes over from its dead self.

import Testing

@Suite struct SameNameTests {
  private static let size = 12 * blockSize

  /// While one client's upload is under way, another's to the same name is refused with the holder's progress.
  @Test func secondClientIsToldWhoHoldsTheName() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: Self.size)
      transfer.proxy.strike(.hold, after: 5 * blockSize, .toServer)
      let holder = try transfer.start()
      #expect(transfer.proxy.isHeld(before: holder), trial.note())

      let other = try trial.sample(Self.size, "other")
      let refused = try trial.client().transfer("put", [other, transfer.daemon.url("file.bin")])
      #expect(refused.status == 75, trial.note(refused))
      #expect(refused.errorLines.count == 1, trial.note(refused))
      #expect(refused.error.contains("file.bin"), trial.note(refused))
      #expect(refused.error.contains("locked") || refused.error.contains("another client"), trial.note(refused))
      #expect(refused.error.contains { $0.isNumber }, trial.note(refused))

      transfer.proxy.release()
      let run = try ClientRun(holder)
      #expect(run.status == 0, trial.note(run))
      try transfer.expectArrived(run)
    }
  }

  /// Two clients that retry send two files to one name: both end well, and the file is one of the two.
  @Test func twoClientsAtOnceLeaveOneWholeFile() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let sources = try (0..<2).map { _ in try trial.sample(4 * blockSize) }
      let puts = try sources.map { try trial.client().startTransfer("put", retryFor: 50, [$0, daemon.url("file.bin")]) }
      for put in puts {
        let run = try ClientRun(put)
        #expect(run.status == 0, trial.note(run))
      }
      let stored = try Files.read(daemon.root / "file.bin")
      let isOneOfThem = try sources.contains { try Files.read($0) == stored }
      #expect(isOneOfThem, trial.note())
      #expect(daemon.staged("").isEmpty, trial.note())
    }
  }

  /// A client that lost its link without the daemon noticing takes over at once, long before the idle timeout.
  @Test func sameClientTakesOverFromItsDeadSelf() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: Self.size, daemonArguments: ["--idle-timeout", "600"])
      transfer.proxy.strike(.hold, after: 6 * blockSize, .toServer)
      let first = try transfer.start()
      #expect(transfer.proxy.isHeld(before: first), trial.note())
      transfer.proxy.freeze()
      first.killNow()

      let second = try transfer.client.transfer("put", [transfer.source, transfer.daemon.url("file.bin")])
      #expect(second.status == 0, trial.note(second))
      #expect(try second.receipt().resumedFrom > 0, trial.note(second))
      try transfer.expectArrived(second)

      // The dead connection wakes up and has nothing to say any more.
      transfer.proxy.release()
      transfer.proxy.thaw()
      let again = try transfer.client.transfer("put", [transfer.source, transfer.daemon.url("file.bin")])
      #expect(again.status == 0, trial.note(again))
      try transfer.expectArrived(again)
    }
  }
}
