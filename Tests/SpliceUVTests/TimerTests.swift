// Timers: order, repetition, and closing from anywhere.

import SpliceBase
import SpliceUV
import Testing

@Suite struct TimerTests {
  @Test func timersFireInTheOrderOfTheirDeadlines() throws {
    let loop = try Loop()
    var order: [Int] = []
    for (index, delay) in [20, 0, 10].enumerated() {
      let timer = try Timer(loop)
      timer.start(after: UInt64(delay)) {
        order.append(index)
        timer.close()
      }
    }
    let begin = loop.now
    loop.run()
    #expect(order == [1, 2, 0])
    #expect(loop.now.milliseconds(since: begin) >= 20)
    loop.close()
  }

  @Test func closingInTheCallbackEndsRepetition() throws {
    let loop = try Loop()
    let timer = try Timer(loop)
    var fired = 0
    var closed = 0
    timer.start(after: 1, repeating: 1) {
      fired += 1
      #expect(timer.isActive)
      if fired == 4 { timer.close { closed += 1 } }
    }
    loop.run()
    #expect(fired == 4)
    #expect(closed == 1)
    #expect(!timer.isActive)
    loop.close()
  }

  @Test func stoppedTimerDoesNotFireUntilStartedAgain() throws {
    let loop = try Loop()
    var fired = 0
    let timer = try Timer(loop) { fired += 1 }
    timer.start(after: 0)
    timer.stop()
    #expect(!timer.isActive)
    loop.run()
    #expect(fired == 0)
    timer.start(after: 0)
    loop.run()
    #expect(fired == 1)
    timer.close()
    loop.run()
    loop.close()
  }

  @Test func closureIsReleasedByClosingAlthoughItHoldsItsTimer() throws {
    let loop = try Loop()
    var released = 0
    do {
      let canary = Canary { released += 1 }
      let timer = try Timer(loop)
      timer.start(after: 0) {
        canary.sing()
        timer.close()
      }
    }
    loop.run()
    #expect(released == 1)
    loop.close()
  }

  @Test func closingTwiceReportsOnce() throws {
    let loop = try Loop()
    let timer = try Timer(loop)
    var closed: [Int] = []
    timer.close { closed.append(1) }
    timer.close { closed.append(2) }
    #expect(closed == [])
    loop.run()
    timer.close { closed.append(3) }
    #expect(closed == [1])
    loop.close()
  }

  @Test func timerMayBeMadeInACloseCallback() throws {
    let loop = try Loop()
    let first = try Timer(loop)
    var fired = false
    first.close {
      guard let second = try? Timer(loop) else { return }
      second.start(after: 0) {
        fired = true
        second.close()
      }
    }
    loop.run()
    #expect(fired)
    loop.close()
  }
}
