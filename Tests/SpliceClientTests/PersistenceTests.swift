// How often a task puts up with the same trouble.

import SpliceBase
import Testing

@testable import SpliceClient

@Suite struct PersistenceTests {
  private static let block = Limits.blockSize

  /// Calls `body` until it says no; returns how often it said yes.
  private func count(_ body: () -> Bool) -> Int {
    for round in 0..<10_000 where !body() { return round }
    return .max
  }

  @Test func restartsInARowAreCounted() {
    var persistence = Persistence()
    let rounds = count { persistence.mayRestart() }
    #expect(rounds == 10)
  }

  @Test func realProgressForgivesRestarts() {
    var persistence = Persistence()
    var done: UInt64 = 0
    let rounds = count {
      done += 64 << 20
      return persistence.handleProgress(to: done) && persistence.mayRestart()
    }
    #expect(rounds == .max)
  }

  /// A log that grows by a line with each attempt would be sent for ever.
  @Test func smallProgressDoesNot() {
    var persistence = Persistence()
    var done: UInt64 = 0
    let rounds = count {
      done += 100
      return persistence.handleProgress(to: done) && persistence.mayRestart()
    }
    #expect(rounds == 10)
  }

  @Test func damageAtOnePlaceIsCounted() {
    var persistence = Persistence()
    let rounds = count { persistence.mayRepeat(blockAt: 5 * Self.block) }
    #expect(rounds == 20)
  }

  /// Blocks that take turns in being damaged come to an end, too.
  @Test func damageAtManyPlacesIsThatOfTheFirst() {
    var persistence = Persistence()
    var next: UInt64 = 0
    let rounds = count {
      next += 1
      return persistence.mayRepeat(blockAt: (5 + next % 3) * Self.block)
    }
    #expect(rounds == 62)
  }

  /// A server that never asks for the first one again.
  @Test func damageWithoutProgressIsBounded() {
    var persistence = Persistence()
    _ = persistence.mayRepeat(blockAt: 0)
    let rounds = count { persistence.mayRepeat(blockAt: Self.block) }
    #expect(rounds == 20 * Limits.repeatsMax - 1)
  }

  @Test func damageFurtherOnIsAnother() {
    var persistence = Persistence()
    var done: UInt64 = 0
    let rounds = count {
      done += Self.block
      return persistence.mayRepeat(blockAt: done) && persistence.handleProgress(to: done + Self.block)
    }
    #expect(rounds == .max)
  }

  @Test func whatWasDoneBeforeIsNoProgress() {
    var persistence = Persistence()
    persistence.handleResume(at: 100)
    // Outside of #expect, which cannot take what changes its subject.
    var isNew = ([100, 200, 150] as [UInt64]).map { persistence.handleProgress(to: $0) }
    persistence.handleResume(at: 50)
    isNew.append(persistence.handleProgress(to: 60))
    #expect(isNew == [false, true, false, true])
  }
}
