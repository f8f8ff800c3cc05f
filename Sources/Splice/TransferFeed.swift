// From the thread that transfers to the task that iterates.

internal import SpliceBase
internal import SpliceClient
internal import SpliceEngine
internal import Synchronization

/// Starts a transfer with the first `next`, and ends it when nobody iterates any more.
final class TransferFeed: Sendable {
  private enum Start {
    case planned(TransferPlan)
    case running(TransferHost)
    case over
  }

  private let start: Mutex<Start>
  private let queue = EventQueue()

  init(_ plan: TransferPlan) { start = Mutex(.planned(plan)) }

  deinit {
    guard case .running(let host) = start.withLock({ $0 }) else { return }
    // Its thread has to be waited for, which no task should do that only left a loop.
    host.cancel()
    Task.detached { Self.close(host) }
  }

  func next(isolation actor: isolated (any Actor)?) async throws(SpliceError) -> SpliceTransfer.Event? {
    guard let host = try begin() else { return nil }
    let step = await withTaskCancellationHandler {
      await queue.next(isolation: actor)
    } onCancel: {
      host.cancel()
    }
    switch step {
    case .event(let event): return event
    case .end(let failure):
      start.withLock { $0 = .over }
      Self.close(host)
      if let failure { throw SpliceError(failure) }
      return nil
    }
  }

  private func begin() throws(SpliceError) -> TransferHost? {
    do throws(Failure) {
      return try start.withLock { (start) throws(Failure) -> TransferHost? in
        switch start {
        case .over: return nil
        case .running(let host): return host
        case .planned(let plan):
          start = .over
          let queue = queue
          let host = try TransferHost.make(plan, observer: queue) { queue.add(.end($0)) }
          try host.start()
          start = .running(host)
          return host
        }
      }
    } catch { throw SpliceError(error) }
  }

  private static func close(_ host: TransferHost) {
    do throws(Failure) { try host.close() } catch { /* Only on its own thread, which this is not. */ }
  }
}

/// What happened and was not yet taken; one task takes.
private final class EventQueue: ClientObserver, Sendable {
  enum Step: Sendable {
    case event(SpliceTransfer.Event)
    /// The last step.
    case end(Failure?)
  }

  private struct State {
    var steps: [Step] = []
    var waiter: CheckedContinuation<Step, Never>?
  }

  private let state = Mutex(State())

  func next(isolation actor: isolated (any Actor)?) async -> Step {
    await withCheckedContinuation(isolation: actor) { continuation in
      state.withLock {
        guard $0.steps.isEmpty else { return continuation.resume(returning: $0.steps.removeFirst()) }
        $0.waiter = continuation
      }
    }
  }

  func add(_ step: Step) {
    state.withLock {
      if let waiter = $0.waiter {
        $0.waiter = nil
        return waiter.resume(returning: step)
      }
      // A reader who is slow gets the latest progress only.
      if case .event(.progress) = step, case .event(.progress) = $0.steps.last { $0.steps.removeLast() }
      $0.steps.append(step)
    }
  }

  func runDidAdvance(_ progress: RunProgress) { add(.event(.progress(SpliceTransfer.Progress(progress)))) }

  func runDidNotice(_ text: [UInt8]) { add(.event(.notice(String(decoding: text, as: UTF8.self)))) }

  func runDidFinish(_ result: FileResult) { add(.event(.finished(SpliceTransfer.FileResult(result)))) }
}

extension SpliceTransfer.Progress {
  fileprivate init(_ progress: RunProgress) {
    phase =
      switch progress.phase {
      case .connecting: .connecting
      case .checking: .checking
      case .moving: .moving
      case .waiting(let milliseconds): .waiting(.milliseconds(milliseconds))
      }
    path = SplicePath(bytes: progress.path)
    done = progress.done
    total = progress.total
    filesDone = progress.filesDone
    filesKnown = progress.filesTotal
  }
}

extension SpliceTransfer.FileResult {
  fileprivate init(_ result: FileResult) {
    remote = SplicePath(bytes: result.path)
    local = SplicePath(bytes: result.localPath)
    if case .failed(let error) = result.outcome {
      self.error = SpliceError(Failure(error))
      isResumable = error.isResumable
    } else {
      error = nil
      isResumable = false
    }
    wasThere = result.outcome == .alreadyThere
    total = result.size
    sent = result.sent
    resumedFrom = result.resumedFrom
    attempts = Int(result.attempts)
    duration = .milliseconds(result.milliseconds)
  }
}
