// Jobs that take less time than handing them to another thread.

package import SpliceUV

/// Runs the short jobs of one loop in company: while some are on the pool others gather, and then one thread runs
/// several of them, one after the other. Whoever comes alone is run at once.
///
/// Belongs to the loop's thread.
package final class ShortJobs {
  /// Jobs of the pool that are made of them at a time: of one loop they take three of libuv's four threads at most.
  private static let batchesMax = 3
  /// A job that waits for the disk after all holds up so many others, less one.
  private static let batchMax = 16

  private let batches: [Batch]
  private var waiting: [any PoolJob] = []

  package init(_ loop: Loop) { batches = (0..<Self.batchesMax).map { _ in Batch(loop) } }

  package func submit(_ job: any PoolJob) {
    waiting.append(job)
    submitNext()
  }

  fileprivate func submitNext() {
    while !waiting.isEmpty, let batch = batches.first(where: { !$0.isUnderWay }) {
      batch.submit(Array(waiting.prefix(Self.batchMax)), for: self)
      waiting.removeFirst(min(Self.batchMax, waiting.count))
    }
  }
}

private final class Batch: PoolJob {
  private let request: PoolRequest
  /// While it is under way.
  private var company: ShortJobs?
  /// The job's while one runs.
  private var jobs: [any PoolJob] = []

  init(_ loop: Loop) { request = PoolRequest(loop) }

  var isUnderWay: Bool { company != nil }

  func submit(_ jobs: [any PoolJob], for company: ShortJobs) {
    self.company = company
    self.jobs = jobs
    request.submit(self)
  }

  /// On a thread of the pool.
  func run() {
    for job in jobs { job.run() }
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    let company = self.company
    let done = jobs
    self.company = nil
    jobs = []
    // First of all, so that the pool has something to do meanwhile.
    company?.submitNext()
    for job in done { job.finish(cancelled: cancelled) }
  }
}
