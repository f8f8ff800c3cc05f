// The jobs of one transfer.

internal import SpliceBase
package import SpliceUV

/// One job at a time, by itself on a thread of the pool or, where it is short, in company.
///
/// Belongs to the loop's thread, but for `isInCompany`.
package final class TransferJobs: PoolJob {
  private let loop: Loop
  private let company: ShortJobs
  /// Made for the first job that goes alone: a small file has none.
  private var request: PoolRequest?
  private var job: (any PoolJob)?
  /// The job shares a thread with others, which it should not keep waiting. The job's while one runs.
  package private(set) var isInCompany = false

  package init(_ loop: Loop, _ company: ShortJobs) {
    self.loop = loop
    self.company = company
  }

  package var isInFlight: Bool { job != nil }

  /// None may be in flight.
  package func submit(_ job: any PoolJob, inCompany: Bool) {
    require(self.job == nil, "a transfer has one job at a time")
    self.job = job
    isInCompany = inCompany
    if inCompany { return company.submit(self) }
    let request = self.request ?? PoolRequest(loop)
    self.request = request
    request.submit(self)
  }

  /// On a thread of the pool.
  package func run() {
    guard let job else { panic("a transfer has no job to run") }
    job.run()
  }

  /// On the loop's thread again.
  package func finish(cancelled: Bool) {
    guard let job else { panic("a transfer has no job to finish") }
    self.job = nil
    job.finish(cancelled: cancelled)
  }
}
