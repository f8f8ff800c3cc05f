// SPDX-License-Identifier: Apache-2.0
// A file that is replaced at the server while somebody reads it.

import Testing

@Suite struct ReplacedDuringGetTests {
  /// Holds a download in the middle and replaces the file: the reader gets the old or the new version whole.
  @Test(arguments: [0, 2 * blockSize])
  func readerGetsOneVersion(growth: Int) throws {
    try replaced { transfer, trial in
      let update = try trial.sample(transfer.size + growth, "update")
      let put = try trial.client().transfer("put", [update, transfer.daemon.url("file.bin")])
      #expect(put.status == 0, trial.note(put))
    }
  }

  /// Removes the file while it is read: the reader still gets the version that it began with, or an error.
  @Test func removedFileIsReadToItsEndOrRefused() throws {
    try replaced { transfer, trial in
      let removal = try trial.client().run(["rm", transfer.daemon.url("file.bin")])
      #expect(removal.status == 0, trial.note(removal))
    }
  }

  private func replaced(name: String = #function, by change: (Transfer, Trial) throws -> Void) throws {
    try withTrial(name) { trial in
      let transfer = try Transfer(trial, .get, size: 12 * blockSize)
      let old = try Files.read(transfer.source)
      transfer.proxy.strike(.hold, after: 4 * blockSize, .toClient)
      let reader = try transfer.start(retryFor: 30)
      #expect(transfer.proxy.isHeld(before: reader), trial.note())
      try change(transfer, trial)
      transfer.proxy.release()
      let run = try ClientRun(reader)
      let isStillServed = Files.exists(transfer.source)
      if isStillServed { #expect(run.status == 0, trial.note(run)) }
      guard run.status == 0 else {
        #expect(!Files.exists(transfer.target), trial.note(run))
        return
      }
      let arrived = try Files.read(transfer.target)
      let isOneVersion = try arrived == old || (isStillServed && arrived == Files.read(transfer.source))
      #expect(isOneVersion, trial.note(run))
    }
  }
}
