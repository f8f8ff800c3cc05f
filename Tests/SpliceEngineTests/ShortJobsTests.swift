// How short jobs share a thread of the pool.

import SpliceUV
import Testing

@testable import SpliceEngine

/// One after the other: some keep three of the pool's four threads from everybody else until the fourth has done its part.
@Suite(.serialized) struct ShortJobsTests {
  private final class Job: PoolJob {
    /// Held by the test: the job waits for it.
    var gate: Mutex?
    var runs = 0
    var ends = 0
    var whenEnded: () -> Void = {}

    func run() {
      gate?.withLock {}
      runs += 1
    }

    func finish(cancelled: Bool) {
      #expect(!cancelled)
      #expect(runs == ends + 1)
      ends += 1
      whenEnded()
    }
  }

  private let loop: Loop
  private let company: ShortJobs

  init() throws {
    loop = try Loop()
    company = ShortJobs(loop)
  }

  private func submit(_ count: Int, gate: Mutex? = nil) -> [Job] {
    (0..<count).map { _ in
      let job = Job()
      job.gate = gate
      company.submit(job)
      return job
    }
  }

  @Test func whoComesAloneIsRunAtOnce() {
    let jobs = submit(3)
    #expect(loop.inFlightCount == 3)
    loop.run()
    #expect(jobs.allSatisfy { $0.ends == 1 })
    loop.close()
  }

  @Test func whoComesMeanwhileSharesAThread() {
    let (first, rest) = (Mutex(), Mutex())
    first.lock()
    rest.lock()
    let held = submit(1, gate: first) + submit(2, gate: rest)
    var ended: [Int] = []
    // Sixteen go together; the next one would wait.
    let batch = submit(16)
    let next = submit(1, gate: rest)
    for (index, job) in batch.enumerated() { job.whenEnded = { ended.append(index) } }
    #expect(loop.inFlightCount == 3)
    first.unlock()
    while ended.count < 16 { loop.runOnce() }
    #expect(ended == Array(0..<16))
    #expect(held[1].ends == 0)
    #expect(next[0].ends == 0)
    rest.unlock()
    loop.run()
    #expect((held + batch + next).allSatisfy { $0.ends == 1 })
    loop.close()
  }

  @Test func finishedJobMayBringAnother() {
    var others: [Job] = []
    let jobs = submit(40)
    for job in jobs { job.whenEnded = { others += submit(1) } }
    loop.run()
    #expect(jobs.allSatisfy { $0.ends == 1 })
    #expect(others.count == 40)
    #expect(others.allSatisfy { $0.ends == 1 })
    loop.close()
  }

  // MARK: Of one transfer

  @Test(arguments: [true, false]) func transferHasOneJobAtATime(inCompany: Bool) {
    let jobs = TransferJobs(loop, company)
    let (first, second) = (Job(), Job())
    first.whenEnded = {
      #expect(!jobs.isInFlight)
      jobs.submit(second, inCompany: !inCompany)
      #expect(jobs.isInCompany == !inCompany)
    }
    jobs.submit(first, inCompany: inCompany)
    #expect(jobs.isInFlight)
    #expect(jobs.isInCompany == inCompany)
    loop.run()
    #expect(!jobs.isInFlight)
    #expect(second.ends == 1)
    loop.close()
  }

  /// However many short ones are under way, a thread is left.
  @Test func longJobDoesNotWaitForCompany() {
    let gate = Mutex()
    gate.lock()
    let short = submit(20, gate: gate)
    let (jobs, long) = (TransferJobs(loop, company), Job())
    jobs.submit(long, inCompany: false)
    while long.ends == 0 { loop.runOnce() }
    #expect(short.allSatisfy { $0.ends == 0 })
    gate.unlock()
    loop.run()
    #expect(short.allSatisfy { $0.ends == 1 })
    loop.close()
  }
}
