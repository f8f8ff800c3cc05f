// Signals as events.

import Glibc
import SpliceUV
import Testing

@Suite struct SignalWatcherTests {
  @Test func signalArrivesOnTheLoop() throws {
    let loop = try Loop()
    var watcher: SignalWatcher?
    var count = 0
    watcher = try SignalWatcher(loop, signal: SignalWatcher.userTwo) {
      count += 1
      watcher?.close()
    }
    kill(getpid(), SIGUSR2)
    loop.run()
    #expect(count == 1)
    watcher = nil
    loop.close()
  }

  @Test func impossibleSignalIsRefusedAndNothingLeaks() throws {
    let loop = try Loop()
    #expect(throws: UVError.invalid) { try SignalWatcher(loop, signal: SIGKILL) {} }
    loop.run()
    #expect(loop.openHandleCount == 0)
    loop.close()
  }
}
