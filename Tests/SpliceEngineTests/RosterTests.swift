// Elements that are found by rising numbers and asked in turn.

import Testing

@testable import SpliceEngine

@Suite struct RosterTests {
  private func roster(_ keys: [UInt64]) -> Roster<String> {
    var roster = Roster<String>()
    for key in keys { roster.append("e\(key)", key: key) }
    return roster
  }

  @Test func elementsAreFoundByTheirKeys() {
    var roster = roster([2, 3, 5, 7, 11])
    for key in [2, 3, 5, 7, 11] as [UInt64] { #expect(roster[key] == "e\(key)") }
    for key in [0, 1, 4, 6, 12, .max] as [UInt64] { #expect(roster[key] == nil) }
    #expect(roster.remove(5) == "e5")
    #expect(roster.remove(5) == nil)
    #expect(roster[5] == nil)
    #expect(roster.elements == ["e2", "e3", "e7", "e11"])
    #expect(roster.first == "e2")
    #expect(roster.count == 4)
  }

  @Test func emptyRosterHasNobody() {
    var roster = roster([])
    #expect(roster[1] == nil)
    #expect(roster.remove(1) == nil)
    #expect(roster.takeTurn() == nil)
    roster.append("e1", key: 1)
    #expect(roster.takeTurn() == "e1")
    roster.remove(1)
    #expect(roster.takeTurn() == nil)
  }

  @Test func allHaveTheirTurn() {
    var roster = roster([1, 2, 3])
    #expect((0..<4).map { _ in roster.takeTurn() } == ["e1", "e2", "e3", "e1"])
    roster.append("e4", key: 4)
    #expect((0..<4).map { _ in roster.takeTurn() } == ["e2", "e3", "e4", "e1"])
  }

  @Test func whoKeepsTheTurnIsAskedAgain() {
    var roster = roster([1, 2, 3])
    _ = roster.takeTurn()
    #expect(roster.takeTurn() == "e2")
    roster.keepTurn()
    #expect(roster.takeTurn() == "e2")
    roster.keepTurn()
    // It has ended.
    roster.remove(2)
    #expect(roster.takeTurn() == "e3")
  }

  @Test func turnsBeginAgainWithTheOldest() {
    var roster = roster([1, 2, 3])
    _ = roster.takeTurn()
    roster.restartTurns()
    #expect(roster.takeTurn() == "e1")
    roster.keepTurn()
    roster.keepTurn()
    #expect(roster.takeTurn() == "e1")
  }

  /// Each of 1 to 4 may end while it, or another, has its turn.
  @Test(arguments: [1, 2, 3, 4] as [UInt64], [1, 2, 3, 4] as [UInt64])
  func nobodyIsPassedOverWhenAnotherIsRemoved(during: UInt64, removed: UInt64) {
    var roster = roster([1, 2, 3, 4])
    _ = roster.takeTurn()
    var asked: Set<String> = []
    for _ in 0..<roster.count {
      guard let element = roster.takeTurn() else { break }
      asked.insert(element)
      if element == "e\(during)" { roster.remove(removed) }
    }
    #expect(asked.union(["e\(removed)"]) == ["e1", "e2", "e3", "e4"])
  }

  @Test func keysRise() async {
    await #expect(processExitsWith: .failure) {
      var roster = Roster<Int>()
      roster.append(1, key: 2)
      roster.append(2, key: 2)
    }
  }
}
