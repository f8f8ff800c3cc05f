// A guest in the loop of somebody else, and triggers that are pulled too late.

@testable import SpliceUV
import Testing

@Suite struct AdoptedLoopTests {
  private final class Job: PoolJob {
    var isDone = false
    func run() {}
    func finish(cancelled: Bool) { isDone = true }
  }

  /// The owner goes on with a handle of its own after the guest has gone, and the guest's end is told once, after the
  /// last of its handles and requests.
  @Test func guestSaysWhenNothingOfItIsLeft() throws {
    let owner = try Loop()
    let guest = Loop(adopting: UnsafeMutableRawPointer(owner.pointer))
    var story: [String] = []
    let timer = try Timer(guest)
    let wakeup = try Wakeup(guest)
    let job = Job()
    let request = PoolRequest(guest)
    let own = try Timer(owner)
    timer.start(after: 1) {
      timer.close { story.append("timer closed") }
      request.submit(job)
      wakeup.close { story.append("wakeup closed") }
    }
    guest.whenEmpty {
      story.append("empty")
      #expect(job.isDone)
      #expect(guest.openHandleCount == 0 && guest.inFlightCount == 0)
      guest.close()
      own.start(after: 1) {
        story.append("owner goes on")
        own.close()
      }
    }
    #expect(guest.isAdopted && !owner.isAdopted)
    owner.run()
    owner.close()
    #expect(story.last == "owner goes on")
    #expect(story.filter { $0 == "empty" }.count == 1)
    #expect(Set(story.prefix(2)) == ["timer closed", "wakeup closed"])
  }

  @Test func triggerIsPulledFromAnywhereAndAtAnyTime() throws {
    let loop = try Loop()
    var count = 0
    nonisolated(unsafe) var trigger: Trigger?
    trigger = try Trigger(loop) {
      count += 1
      trigger?.close()
    }
    let thread = try LoopThread { trigger?.pull() }
    loop.run()
    thread.join()
    #expect(count == 1)
    trigger?.pull()
    trigger?.close()
    loop.close()
    #expect(count == 1)
  }

  @Test func threadsHaveNumbersOfTheirOwn() throws {
    nonisolated(unsafe) var other: UInt = 0
    let thread = try LoopThread { other = LoopThread.current }
    let here = LoopThread.current
    // While it runs, or has not been waited for, nobody else has its number.
    thread.join()
    #expect(other != here && LoopThread.current == here)
  }
}
