// SPDX-License-Identifier: Apache-2.0
// One name, two uploads: a stranger waits, the same client takes over from its dead self.

import Glibc
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
      // Who, how far, and since when: the proxy's end of the holder's connection is on this machine.
      let told = try #require(
        refused.error.firstMatch(
          of: /another client, 127\.0\.0\.1:(\d+), is writing it: it has sent (\d+) bytes and was silent for (\d+) ms/),
        trial.note(refused))
      #expect(Int(told.1) ?? 0 > 0 && Int(told.2) ?? 0 > blockSize, trial.note(refused))

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

  /// Two files that are called the same from where their users stand are two files: neither upload takes the
  /// other for its dead self.
  @Test func sameRelativeNameIsNotTheSameFile() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let proxy = try trial.proxy(to: daemon)
      let first = try trial.client()
      let second = Client(home: first.home, folder: try trial.newFolder("local"))
      for client in [first, second] {
        try Files.writeRandom(Self.size, to: client.folder / "file.bin", using: &trial.random)
      }
      proxy.strike(.hold, after: 5 * blockSize, .toServer)
      let holder = try first.startTransfer("put", ["file.bin", proxy.url()])
      #expect(proxy.isHeld(before: holder), trial.note())
      let refused = try second.transfer("put", ["file.bin", daemon.url()])
      #expect(refused.status == 75, trial.note(refused))
      #expect(refused.error.contains("another client"), trial.note(refused))
      proxy.release()
      let run = try ClientRun(holder)
      #expect(run.status == 0, trial.note(run))
      #expect(try Files.difference(first.folder / "file.bin", daemon.root / "file.bin") == nil, trial.note(run))
    }
  }

  /// Ctrl-C ends a client at once that waits for another to finish; what it said names the file.
  @Test func waitingForTheNameEndsWithControlC() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: Self.size)
      transfer.proxy.strike(.hold, after: 5 * blockSize, .toServer)
      let holder = try transfer.start()
      #expect(transfer.proxy.isHeld(before: holder), trial.note())
      let other = try trial.sample(Self.size, "other")
      let waiting = try trial.client().startTransfer("put", retryFor: 600, [other, transfer.daemon.url("file.bin")])
      #expect(eventually(within: 20) { waiting.standardError.contains("trying again") }, trial.note())
      waiting.send(SIGINT)
      // The pause that has just begun lasts two seconds or more, as the server advises.
      let ending = try waiting.wait(seconds: 1.5)
      #expect(ending == .exited(130), trial.note(waiting.standardError))
      #expect(waiting.standardError.contains("file.bin: another client"), trial.note(waiting.standardError))
      transfer.proxy.release()
      let run = try ClientRun(holder)
      try transfer.expectArrived(run)
    }
  }

  /// A second download of one file to one place leaves the first alone.
  @Test func secondDownloadLeavesTheFirstAlone() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .get, size: Self.size)
      transfer.proxy.strike(.hold, after: 8 * blockSize, .toClient)
      let first = try transfer.start()
      #expect(transfer.proxy.isHeld(before: first), trial.note())
      let second = try transfer.client.transfer("get", [transfer.daemon.url("file.bin"), transfer.target])
      #expect(second.status == 75, trial.note(second))
      #expect(second.errorLines.count == 1 && second.error.contains("another run of splice"), trial.note(second))
      transfer.proxy.release()
      let run = try ClientRun(first)
      #expect(run.status == 0, trial.note(run))
      try transfer.expectArrived(run)
    }
  }

  /// The file came to the server while `put --if-absent` was sending it: it is there, as was asked for.
  @Test func lostRaceOfIfAbsentIsASuccess() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: Self.size)
      transfer.proxy.strike(.hold, after: 5 * blockSize, .toServer)
      let put = try transfer.client.startTransfer("put", ["--if-absent", transfer.source, transfer.proxy.url("file.bin")])
      #expect(transfer.proxy.isHeld(before: put), trial.note())
      try Files.write([1, 2, 3], to: transfer.target)
      transfer.proxy.release()
      let run = try ClientRun(put)
      #expect(run.status == 0, trial.note(run))
      #expect(run.outputText.contains("already there"), trial.note(run))
      #expect(try Files.read(transfer.target) == [1, 2, 3], trial.note(run))
    }
  }
}
