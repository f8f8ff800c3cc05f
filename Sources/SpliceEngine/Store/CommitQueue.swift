// Files that are ready to be committed wait here for the round of syncs that is under way.

package import SpliceSystem
package import SpliceUV
internal import SpliceWire

/// What a transfer wants done before it tells its peer.
package enum CommitWish {
  /// A stage that has its whole file is to become that file.
  case commit(CommitPlan)
  /// The file that is there is the right one, and is to stay.
  case keep(KeepPlan)
}

/// A transfer that has its whole file. It stays in the queue until it hears the result, and leaves its files
/// alone until then.
package protocol CommitCandidate: AnyObject {
  /// On a thread of the pool, first of all.
  func planCommit(in folders: inout RoundFolders) throws(StoreError) -> CommitWish
  /// On the loop's thread. With a status, everything about the file is durable.
  func commitDidEnd(_ result: Result<FileStatus, StoreError>)
}

/// Collects candidates while a group is being committed; they are the next group. So one file is committed
/// at once, and many share their syncs, without anybody waiting for company. Many do not wait for the group
/// that is under way either: while that one waits for the disk, they can make it work. For the same reason a group
/// does not take all that wait: somebody has to be left to keep the processor busy.
///
/// Belongs to the loop's thread.
package final class CommitQueue {
  private let rounds: [CommitRound]
  private var waiting: [any CommitCandidate] = []

  /// So many that wait are worth syncs of their own beside those that are under way.
  private static let companyMin = 32
  /// More than these save little of two syncs.
  private static let groupMax = 128

  /// - Parameter roundsMax: groups that are under way at a time; each keeps a thread of the pool from others.
  package init(_ loop: Loop, roundsMax: Int) { rounds = (0..<roundsMax).map { _ in CommitRound(loop) } }

  package func add(_ candidate: any CommitCandidate) {
    waiting.append(candidate)
    submitNext()
  }

  fileprivate func submitNext() {
    while let round = rounds.first(where: { !$0.isUnderWay }) {
      let isAlone = !rounds.contains { $0.isUnderWay }
      guard waiting.count >= (isAlone ? 1 : Self.companyMin) else { return }
      round.submit(Array(waiting.prefix(Self.groupMax)), for: self)
      waiting.removeFirst(min(Self.groupMax, waiting.count))
    }
  }
}

/// One group on its way.
private final class CommitRound: PoolJob {
  private let request: PoolRequest
  /// While it is under way.
  private var queue: CommitQueue?

  // Owned by the job while one runs.
  private var group: [any CommitCandidate] = []
  private var results: [Result<FileStatus, StoreError>] = []

  init(_ loop: Loop) { request = PoolRequest(loop) }

  var isUnderWay: Bool { queue != nil }

  func submit(_ candidates: [any CommitCandidate], for queue: CommitQueue) {
    self.queue = queue
    group = candidates
    request.submit(self)
  }

  /// On a thread of the pool.
  func run() {
    var (commits, committed): ([CommitPlan], [Int]) = ([], [])
    var (keeps, kept): ([KeepPlan], [Int]) = ([], [])
    var folders = RoundFolders()
    results = group.enumerated().map { index, candidate in
      do throws(StoreError) {
        switch try candidate.planCommit(in: &folders) {
        case .commit(let plan):
          commits.append(plan)
          committed.append(index)
        case .keep(let plan):
          keeps.append(plan)
          kept.append(index)
        }
        return .failure(StoreError(.writeFailed))
      } catch { return .failure(error) }
    }
    for (index, result) in zip(committed, CommitGroup.commit(commits)) { results[index] = result }
    for (index, result) in zip(kept, KeepGroup.sync(keeps)) { results[index] = result }
  }

  /// On the loop's thread again.
  func finish(cancelled: Bool) {
    let queue = self.queue
    let done = group
    let results = self.results
    self.queue = nil
    group = []
    self.results = []
    for (candidate, result) in zip(done, results) { candidate.commitDidEnd(result) }
    queue?.submitNext()
  }
}
