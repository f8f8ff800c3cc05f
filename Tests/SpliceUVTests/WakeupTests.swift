// Calls from other threads: none may get lost, several may become one.

import SpliceUV
import Testing

@Suite struct WakeupTests {
  /// Four threads post numbers under a lock and signal: the loop must see all of them.
  @Test func everyMessageOfEveryThreadArrives() throws {
    let loop = try Loop()
    let mutex = Mutex()
    nonisolated(unsafe) var mailbox: [Int] = []
    var received: [Int] = []
    var wakes = 0
    let wakeup = try Wakeup(loop)
    wakeup.onWake = {
      wakes += 1
      received += mutex.withLock {
        defer { mailbox = [] }
        return mailbox
      }
      if received.count == 4000 { wakeup.close() }
    }
    let threads = try (0..<4).map { number in
      try LoopThread {
        for index in 0..<1000 {
          mutex.withLock {
            mailbox.append(number * 1000 + index)
            wakeup.signal()
          }
        }
      }
    }
    loop.run()
    for thread in threads { thread.join() }
    #expect(received.sorted() == Array(0..<4000))
    #expect(wakes >= 1 && wakes <= 4000)
    loop.close()
  }

  @Test func loopMayEndWithAWakeupThatLetsIt() throws {
    let loop = try Loop()
    let wakeup = try Wakeup(loop) {}
    wakeup.letLoopEnd()
    loop.run()
    wakeup.close()
    loop.run()
    loop.close()
  }

  @Test func loopsOfTwoThreadsCallEachOther() throws {
    let here = try Loop()
    var answered = false
    let answer = try Wakeup(here)
    answer.onWake = {
      answered = true
      answer.close()
    }
    let thread = try LoopThread {
      guard let there = try? Loop(), let timer = try? Timer(there) else { return }
      timer.start(after: 0) {
        timer.close()
        answer.signal()
      }
      there.run()
      there.close()
    }
    here.run()
    thread.join()
    #expect(answered)
    here.close()
  }

  @Test func threadReleasesItsClosure() throws {
    nonisolated(unsafe) var released = 0
    do {
      let canary = Canary { released += 1 }
      let thread = try LoopThread { canary.sing() }
      thread.join()
    }
    #expect(released == 1)
  }

  @Test func errorLeavesTheMutexFree() {
    let mutex = Mutex()
    #expect(throws: UVError.canceled) {
      try mutex.withLock { () throws(UVError) -> Void in throw UVError.canceled }
    }
    #expect(mutex.withLock { 5 } == 5)
  }
}
