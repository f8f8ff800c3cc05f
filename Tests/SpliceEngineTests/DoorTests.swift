// Who is let in, and what a change of the limits means.

@testable import SpliceEngine
import Testing

@Suite struct DoorTests {
  private let here: [UInt8] = [127, 0, 0, 1]
  private let there: [UInt8] = [10, 0, 0, 1]

  @Test func limitsHoldFromTheNextOneOn() {
    let door = Door()
    door.limit(connectionsMax: 2, perAddressMax: 1)
    #expect(door.enter(here) == .welcome)
    #expect(door.enter(here) == .full)
    #expect(door.enter(there) == .welcome)
    door.leave(here, wasRefused: true)
    #expect(door.enter([1, 1, 1, 1]) == .full)
    door.leave([1, 1, 1, 1], wasRefused: true)
    // The limit for one address stays as it was.
    door.limit(connectionsMax: 3, perAddressMax: nil)
    #expect(door.enter(there) == .full)
    door.leave(there, wasRefused: true)
    #expect(door.enter([1, 1, 1, 1]) == .welcome)
    // Those who are there stay; nobody new comes in.
    door.limit(connectionsMax: 1, perAddressMax: 0)
    #expect(door.enter(there) == .full)
  }

  @Test func onlySoManyAreToldThatItIsFull() {
    let door = Door()
    door.limit(connectionsMax: 1, perAddressMax: 0)
    #expect(door.enter(here) == .welcome)
    var answers: [Door.Answer] = []
    for _ in 0..<40 { answers.append(door.enter(here)) }
    #expect(answers.filter { $0 == .full }.count == 32)
    #expect(answers.last == .closed)
  }
}
