// Files that are ready to be committed wait here for the sync that is under way.

package import SpliceSystem
package import SpliceUV
internal import SpliceWire

/// A transfer that has its whole file. It stays in the queue until it hears the result, and leaves its stage
/// alone until then.
package protocol CommitCandidate: AnyObject {
  /// On a thread of the pool, first of all.
  ///
  /// - Parameter neighbour: of another file of the group, made a moment ago; its folder may serve this one, too.
  func planCommit(beside neighbour: CommitPlan?) throws(StoreError) -> CommitPlan
  /// On the loop's thread. With a status, everything about the file is durable.
  func commitDidEnd(_ result: Result<FileStatus, StoreError>)
}

/// Collects candidates while a group is being committed; they are the next group. So one file is committed
/// at once, and many share their syncs, without anybody waiting for company: the sync that makes the names of
/// one group durable is the one that the data of the next needs.
///
/// Belongs to the loop's thread.
package final class CommitQueue: PoolJob {
  private let request: PoolRequest
  private var waiting: [any CommitCandidate] = []

  // Owned by the job while one runs.
  private var present: [any CommitCandidate] = []
  /// Have their names, which a power cut can take back until the next sync.
  private var named: [any CommitCandidate] = []
  private var namedGroup = CommitGroup([])
  private var ended: [(candidate: any CommitCandidate, result: Result<FileStatus, StoreError>)] = []

  package init(_ loop: Loop) { request = PoolRequest(loop) }

  package func add(_ candidate: any CommitCandidate) {
    waiting.append(candidate)
    submitNext()
  }

  private func submitNext() {
    guard !request.isInFlight, !waiting.isEmpty || !named.isEmpty else { return }
    swap(&present, &waiting)
    request.submit(self)
  }

  /// On a thread of the pool.
  package func run() {
    var neighbour: CommitPlan?
    var group = CommitGroup(
      present.map { candidate in
        do throws(StoreError) {
          let plan = try candidate.planCommit(beside: neighbour)
          neighbour = plan
          return .success(plan)
        } catch { return .failure(error) }
      })
    if named.isEmpty, present.count < CommitGroup.sharedMin {
      group.commitEach()
      end(present, group)
    } else {
      group.giveNames(confirming: &namedGroup)
      end(named, namedGroup)
      named = present
      namedGroup = group
    }
    present.removeAll(keepingCapacity: true)
  }

  private func end(_ candidates: [any CommitCandidate], _ group: CommitGroup) {
    for (candidate, result) in zip(candidates, group.results) { ended.append((candidate, result)) }
  }

  /// On the loop's thread again.
  package func finish(cancelled: Bool) {
    let ended = self.ended
    self.ended.removeAll(keepingCapacity: true)
    for (candidate, result) in ended { candidate.commitDidEnd(result) }
    submitNext()
  }
}
