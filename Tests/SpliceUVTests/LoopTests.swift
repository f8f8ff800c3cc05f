// The loop's life: what it counts, and how it ends when something was forgotten.

import SpliceBase
import SpliceUV
import Testing

@Suite struct LoopTests {
  @Test func emptyLoopRunsAndCloses() throws {
    let loop = try Loop()
    #expect(!loop.run())
    #expect(!loop.runOnce())
    #expect(!loop.runPending())
    loop.close()
  }

  @Test func handlesAreCountedUntilTheyAreReportedClosed() throws {
    let loop = try Loop()
    let timer = try Timer(loop)
    let wakeup = try Wakeup(loop)
    #expect(loop.openHandleCount == 2)
    timer.close()
    wakeup.close()
    #expect(loop.openHandleCount == 2)
    loop.run()
    #expect(loop.openHandleCount == 0)
    loop.close()
  }

  @Test func leakedHandleIsNamed() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try Loop()
      _ = try Timer(loop)
      loop.close()
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("a loop was closed with an open timer"))
  }

  @Test func requestInFlightIsNamed() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let loop = try Loop()
      PoolRequest(loop).submit(CountingJob())
      loop.close()
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("a loop was closed with a request in flight"))
  }

  @Test func errorsDescribeThemselves() {
    var text = Array("cannot: ".utf8)
    UVError.canceled.describe(into: &text)
    #expect(String(decoding: text, as: UTF8.self) == "cannot: operation canceled")
  }
}

final class CountingJob: PoolJob {
  func run() {}
  func finish(cancelled: Bool) {}
}

/// Shows when the last reference to a closure that holds it is gone.
final class Canary {
  let onDeinit: () -> Void
  init(_ onDeinit: @escaping () -> Void) { self.onDeinit = onDeinit }
  deinit { onDeinit() }
  func sing() {}
}
