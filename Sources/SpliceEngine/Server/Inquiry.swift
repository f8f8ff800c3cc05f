// A question to all workers, and their answers together.

internal import SpliceBase
internal import SpliceUV
internal import SpliceWire

/// What workers answer; the parts that were not asked for are empty.
struct Findings: Sendable {
  var sessions: [SessionEntry] = []
  var reports: [WorkerReport] = []
}

/// Goes from the first worker's thread to every worker, and back when the last one has answered.
final class Inquiry: @unchecked Sendable {
  enum Question {
    case allSessions
    /// Ends the session with this id; its entry is the answer.
    case kick(UInt64)
    /// Numbers for `--metrics`.
    case report
  }

  let question: Question
  private let mutex = Mutex()
  private var missing: Int
  private var findings = Findings()
  /// Called once, on the first worker's thread.
  private let completion: (Findings) -> Void

  private init(_ question: Question, workers: Int, completion: @escaping (Findings) -> Void) {
    self.question = question
    missing = workers
    self.completion = completion
  }

  /// To be called on the first worker's thread.
  static func ask(
    _ question: Question, _ group: WorkerGroup, completion: @escaping (Findings) -> Void
  ) {
    let inquiry = Inquiry(question, workers: group.workers.count, completion: completion)
    for worker in group.workers where !worker.post(.inquiry(inquiry)) { inquiry.answer(Findings(), group) }
  }

  /// Any thread, once for each worker.
  func answer(_ more: Findings, _ group: WorkerGroup) {
    let isLast = mutex.withLock {
      findings.sessions.append(contentsOf: more.sessions)
      findings.reports.append(contentsOf: more.reports)
      missing -= 1
      return missing == 0
    }
    // The first worker ends last; when it takes no mail any more, this is its thread.
    if isLast, !group.workers[0].post(.inquiryIsAnswered(self)) { complete() }
  }

  /// On the first worker's thread, after the last answer.
  func complete() {
    findings.sessions.sort { $0.id < $1.id }
    findings.reports.sort { $0.worker < $1.worker }
    completion(findings)
  }
}
