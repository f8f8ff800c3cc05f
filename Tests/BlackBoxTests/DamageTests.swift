// SPDX-License-Identifier: Apache-2.0
// Damage to what was stored or is on its way: found, salvaged up to the last good block, never passed on.

import Glibc
import Testing

/// Who holds the partial file that is damaged.
enum DamagedSide: String, CaseIterable, Sendable {
  case runningDaemon, restartedDaemon, client
  var route: Route { self == .client ? .get : .put }
}

@Suite struct DamageTests {
  private static let size = 16 * blockSize + 777

  /// Flips one bit in the partial file: everything before its block is kept, the block is sent again.
  @Test(arguments: DamagedSide.allCases)
  func flippedBitIsSalvaged(_ side: DamagedSide) throws {
    try damaged(side) { transfer in
      let partial = try transfer.partial()
      let wholeBlocks = transfer.storedSize() / blockSize
      let offset = transfer.trial.random.number(in: blockSize...wholeBlocks * blockSize - 1)
      try Files.flip(partial, at: offset)
      return offset
    } check: { receipt, offset, trial in
      #expect(receipt.resumedFrom <= offset, trial.note("flipped at \(offset): \(receipt)"))
      #expect(receipt.resumedFrom >= offset / blockSize * blockSize, trial.note("flipped at \(offset): \(receipt)"))
      #expect(receipt.salvagedTo != nil, trial.note("flipped at \(offset): \(receipt)"))
    }
  }

  /// Takes the end off the partial file: what is left is used.
  @Test(arguments: DamagedSide.allCases)
  func truncatedPartialIsContinued(_ side: DamagedSide) throws {
    try damaged(side) { transfer in
      let length = transfer.trial.random.number(in: blockSize...transfer.storedSize() - 1)
      try Files.truncate(transfer.partial(), to: length)
      return length
    } check: { receipt, length, trial in
      #expect(receipt.resumedFrom <= length, trial.note("truncated to \(length): \(receipt)"))
      #expect(receipt.resumedFrom >= length / blockSize * blockSize, trial.note("truncated to \(length): \(receipt)"))
    }
  }

  /// Puts junk after the partial file: none of it gets into the result.
  @Test(arguments: DamagedSide.allCases)
  func junkAtTheEndIsDropped(_ side: DamagedSide) throws {
    try damaged(side) { transfer in
      let length = transfer.storedSize()
      try Files.append(transfer.trial.random.bytes(3 * blockSize / 2), to: transfer.partial())
      return length
    } check: { receipt, length, trial in
      #expect(receipt.resumedFrom <= length, trial.note("junk from \(length): \(receipt)"))
      #expect(receipt.resumedFrom > 0, trial.note("junk from \(length): \(receipt)"))
    }
  }

  /// Flips one bit of the journal, or takes the journal away: slower perhaps, but right.
  @Test(arguments: DamagedSide.allCases, [true, false])
  func damagedJournalIsNotBelieved(_ side: DamagedSide, isRemoved: Bool) throws {
    try damaged(side, "\(isRemoved)") { transfer in
      let journal = try transfer.journal()
      if isRemoved {
        try Files.remove(journal)
      } else {
        let size = Files.size(of: journal) ?? 0
        try Files.flip(journal, at: transfer.trial.random.number(in: 0...size - 1))
      }
      return 0
    } check: { _, _, _ in }
  }

  /// Empties both files of a partial transfer: it begins anew.
  @Test(arguments: DamagedSide.allCases)
  func emptiedPartialBeginsAnew(_ side: DamagedSide) throws {
    try damaged(side) { transfer in
      try Files.truncate(transfer.partial(), to: 0)
      try Files.truncate(transfer.journal(), to: 0)
      return 0
    } check: { receipt, _, trial in
      #expect(receipt.resumedFrom == 0, trial.note("\(receipt)"))
    }
  }

  /// Flips one bit on the wire: the block's digest catches it, and no try ends well with a wrong file.
  @Test(arguments: Route.allCases)
  func bitFlippedOnTheWayIsCaught(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: Self.size, daemonArguments: ["--idle-timeout", "5"])
      transfer.proxy.strike(.flip, after: trial.random.number(in: blockSize...Self.size - blockSize), transfer.payload)
      let first = try transfer.run()
      #expect(transfer.proxy.strikes == 1, trial.note(first))
      if first.status == 0 { try transfer.expectArrived(first) }
      try transfer.finish()
    }
  }

  /// Flips one bit on the wire of a client that may try again: it mends the damage by itself.
  @Test(arguments: Route.allCases)
  func clientMendsDamageOnTheWay(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: Self.size, daemonArguments: ["--idle-timeout", "5"])
      transfer.proxy.strike(.flip, after: trial.random.number(in: blockSize...Self.size - blockSize), transfer.payload)
      try transfer.finish(retryFor: 45)
    }
  }

  /// What comes behind the damaged block is kept.
  @Test(arguments: Route.allCases)
  func onlyTheDamagedBlockIsSentAgain(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let size = 24 * blockSize + 300_000
      // With much behind it, and with nothing: then the daemon has said END before it is asked. All far from the heads
      // of frames.
      let places = [
        (4 * blockSize + 640 << 10, blockSize), (23 * blockSize + 640 << 10, blockSize), (24 * blockSize + 150_000, 300_000),
      ]
      for (place, again) in places {
        let transfer = try Transfer(trial, route, size: size)
        transfer.proxy.strike(.flip, after: place, transfer.payload)
        let receipt = try transfer.finish()
        #expect(transfer.proxy.strikes == 1 && transfer.proxy.connections == 1, trial.note("byte \(place)"))
        #expect(receipt.sent == size + again, trial.note("byte \(place): \(receipt)"))
      }
    }
  }

  /// Flips one bit of the last block: by the time the client sees it, the daemon has sent its last word about
  /// this file and no idle timeout comes to help.
  @Test(arguments: Route.allCases)
  func clientMendsDamageInTheLastBlock(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: 2 * blockSize)
      transfer.proxy.strike(.flip, after: 3 * blockSize / 2, transfer.payload)
      try transfer.finish(retryFor: 30)
      #expect(transfer.proxy.strikes == 1, trial.note())
      #expect(transfer.proxy.connections == 1, trial.note("the link was not at fault"))
    }
  }

  /// Breaks a transfer in the middle, does `harm` to what was stored, finishes it, and lets `check` see how.
  private func damaged(
    _ side: DamagedSide, _ variant: String = "", name: String = #function, _ harm: (Transfer) throws -> Int,
    check: (Receipt, Int, Trial) throws -> Void
  ) throws {
    try withTrial("\(name) \(side.rawValue) \(variant)") { trial in
      let transfer = try Transfer(trial, side.route, size: Self.size)
      try transfer.breakInTheMiddle()
      if side == .restartedDaemon { transfer.daemon.process.killNow() }
      let place = try harm(transfer)
      if side == .restartedDaemon {
        try transfer.daemon.restart()
        transfer.proxy.redirect(to: transfer.daemon)
      }
      try check(try transfer.finish(), place, trial)
    }
  }
}
