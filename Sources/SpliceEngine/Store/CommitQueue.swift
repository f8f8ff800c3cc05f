// Files that are ready to be committed wait here for the round of syncs that is under way.

package import SpliceSystem
package import SpliceUV
internal import SpliceWire

/// A transfer that has its whole file. It stays in the queue until it hears the result, and leaves its stage
/// alone until then.
package protocol CommitCandidate: AnyObject {
  /// On a thread of the pool, first of all.
  func planCommit() throws(StoreError) -> CommitPlan
  /// On the loop's thread. With a status, everything about the file is durable.
  func commitDidEnd(_ result: Result<FileStatus, StoreError>)
}

/// Collects candidates while a group is being committed; they are the next group. So one file is committed
/// at once, and many share their syncs, without anybody waiting for company.
///
/// Belongs to the loop's thread.
package final class CommitQueue: PoolJob {
  private let request: PoolRequest
  private var waiting: [any CommitCandidate] = []

  // Owned by the job while one runs.
  private var group: [any CommitCandidate] = []
  private var results: [Result<FileStatus, StoreError>] = []

  package init(_ loop: Loop) { request = PoolRequest(loop) }

  package func add(_ candidate: any CommitCandidate) {
    waiting.append(candidate)
    submitNext()
  }

  private func submitNext() {
    guard !request.isInFlight, !waiting.isEmpty else { return }
    swap(&group, &waiting)
    request.submit(self)
  }

  /// On a thread of the pool.
  package func run() {
    var plans: [CommitPlan] = []
    var planned: [Int] = []
    results = group.enumerated().map { index, candidate in
      do throws(StoreError) {
        plans.append(try candidate.planCommit())
        planned.append(index)
        return .failure(StoreError(.writeFailed))
      } catch { return .failure(error) }
    }
    for (index, result) in zip(planned, CommitGroup.commit(plans)) { results[index] = result }
  }

  /// On the loop's thread again.
  package func finish(cancelled: Bool) {
    let done = group
    let results = self.results
    group.removeAll(keepingCapacity: true)
    self.results.removeAll(keepingCapacity: true)
    for (candidate, result) in zip(done, results) { candidate.commitDidEnd(result) }
    submitNext()
  }
}
