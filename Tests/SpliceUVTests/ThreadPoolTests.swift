// Jobs on the pool: where they run, where they finish, and what keeps them alive.

import Glibc
import SpliceUV
import Testing

@Suite struct ThreadPoolTests {
  private final class Job: PoolJob {
    let request: PoolRequest
    let onDeinit: () -> Void
    var rounds: Int
    var runs = 0
    var runThread: pthread_t?
    var finishThread: pthread_t?

    init(_ request: PoolRequest, rounds: Int, onDeinit: @escaping () -> Void = {}) {
      self.request = request
      self.rounds = rounds
      self.onDeinit = onDeinit
    }

    deinit { onDeinit() }

    func run() {
      runs += 1
      runThread = pthread_self()
    }

    func finish(cancelled: Bool) {
      finishThread = pthread_self()
      rounds -= 1
      #expect(!cancelled)
      #expect(!request.isInFlight)
      if rounds > 0 { request.submit(self) }
    }
  }

  @Test func jobRunsElsewhereAndFinishesHere() throws {
    let loop = try Loop()
    let job = Job(PoolRequest(loop), rounds: 1)
    job.request.submit(job)
    #expect(job.request.isInFlight)
    #expect(loop.inFlightCount == 1)
    loop.run()
    #expect(loop.inFlightCount == 0)
    #expect(job.runs == 1)
    #expect(job.runThread != job.finishThread)
    #expect(job.finishThread == pthread_self())
    loop.close()
  }

  @Test func finishedJobMaySubmitItselfAgain() throws {
    let loop = try Loop()
    let job = Job(PoolRequest(loop), rounds: 50)
    job.request.submit(job)
    loop.run()
    #expect(job.runs == 50)
    loop.close()
  }

  @Test func loopKeepsJobsAliveExactlyUntilTheyFinish() throws {
    let loop = try Loop()
    var released = 0
    for _ in 0..<10 {
      let job = Job(PoolRequest(loop), rounds: 3, onDeinit: { released += 1 })
      job.request.submit(job)
    }
    #expect(released == 0)
    loop.run()
    #expect(released == 10)
    loop.close()
  }

  private final class Gated: PoolJob {
    let gate: Mutex
    var didRun = false
    var wasCancelled: Bool?

    init(_ gate: Mutex) { self.gate = gate }

    func run() { gate.withLock { didRun = true } }

    func finish(cancelled: Bool) { wasCancelled = cancelled }
  }

  /// More jobs than the pool has threads wait at a gate, so the last one cannot have begun.
  @Test func queuedJobCanBeCancelled() throws {
    let loop = try Loop()
    let gate = Mutex()
    gate.lock()
    let jobs = (0..<1100).map { _ in Gated(gate) }
    let requests = jobs.map { job in
      let request = PoolRequest(loop)
      request.submit(job)
      return request
    }
    #expect(requests[1099].cancel())
    #expect(jobs[1099].wasCancelled == nil)
    gate.unlock()
    loop.run()
    #expect(jobs[1099].wasCancelled == true)
    #expect(!jobs[1099].didRun)
    #expect(jobs[..<1099].allSatisfy { $0.didRun && $0.wasCancelled == false })
    #expect(!requests[1099].cancel())
    loop.close()
  }

  @Test func submittingTwiceIsOurBug() async {
    await #expect(processExitsWith: .failure) {
      let loop = try Loop()
      let request = PoolRequest(loop)
      request.submit(CountingJob())
      request.submit(CountingJob())
    }
  }
}
