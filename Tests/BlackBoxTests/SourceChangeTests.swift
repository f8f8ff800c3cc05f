// SPDX-License-Identifier: Apache-2.0
// A source that changes between two tries or during one: the target is one version of it, never a mix.

import Testing

/// How the source differs from what the first try sent.
enum SourceChange: String, CaseIterable, Sendable {
  case otherMiddle, shorter, muchShorter, longer, wholeOther
}

@Suite struct SourceChangeTests {
  private static let size = 12 * blockSize + 55

  /// Changes the source after a broken try: the second try ends with the new content.
  @Test(arguments: Route.allCases, SourceChange.allCases)
  func changedBetweenTwoTries(_ route: Route, _ change: SourceChange) throws {
    try withTrial("\(#function) \(route.rawValue) \(change.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: Self.size)
      try transfer.breakInTheMiddle()
      let stored = transfer.storedSize()
      let fork = trial.random.number(in: blockSize...stored - 1)
      switch change {
      case .otherMiddle: try Files.overwrite(trial.random.bytes(5000), in: transfer.source, at: fork)
      case .shorter: try Files.truncate(transfer.source, to: stored + (Self.size - stored) / 2)
      case .muchShorter: try Files.truncate(transfer.source, to: fork)
      case .longer: try Files.append(trial.random.bytes(blockSize + 1), to: transfer.source)
      case .wholeOther: try Files.writeRandom(Self.size, to: transfer.source, using: &trial.random)
      }
      let receipt = try transfer.finish()
      switch change {
      case .otherMiddle, .muchShorter: #expect(receipt.resumedFrom <= fork, trial.note("\(receipt), fork at \(fork)"))
      case .wholeOther: #expect(receipt.resumedFrom == 0, trial.note("\(receipt)"))
      case .shorter, .longer: break
      }
    }
  }

  /// Appends to the source while it is being sent.
  @Test func appendedDuringTheUpload() throws {
    try changedDuringTheUpload { transfer in
      try Files.append(transfer.trial.random.bytes(blockSize + 12345), to: transfer.source)
    }
  }

  /// Changes what was sent already and what is still to be sent: half of each would be a mix.
  @Test func rewrittenDuringTheUpload() throws {
    try changedDuringTheUpload { transfer in
      for offset in [1000, Self.size - 2000] {
        try Files.overwrite(transfer.trial.random.bytes(500), in: transfer.source, at: offset)
      }
    }
  }

  /// Takes the end off the source while it is being sent.
  @Test func truncatedDuringTheUpload() throws {
    try changedDuringTheUpload { transfer in try Files.truncate(transfer.source, to: Self.size - 3 * blockSize) }
  }

  /// Holds an upload in the middle, changes the source and lets go: whatever the first run makes of it, a file
  /// that it reports as done is one version, and the next run brings the final one.
  private func changedDuringTheUpload(name: String = #function, _ change: (Transfer) throws -> Void) throws {
    try withTrial(name) { trial in
      let transfer = try Transfer(trial, .put, size: Self.size)
      let before = try Files.read(transfer.source)
      transfer.proxy.strike(.hold, after: 5 * blockSize, .toServer)
      let client = try transfer.start(retryFor: 30)
      #expect(transfer.proxy.isHeld(before: client), trial.note())
      try change(transfer)
      transfer.proxy.release()
      let run = try ClientRun(client)
      if Files.exists(transfer.target) {
        let arrived = try Files.read(transfer.target)
        let isOneVersion = try arrived == before || arrived == Files.read(transfer.source)
        #expect(isOneVersion, trial.note(run))
      } else {
        #expect(run.status != 0, trial.note(run))
      }
      try transfer.finish()
    }
  }
}
