// What a run of `put` or `get` shows, and the exit status that it comes to.

internal import SpliceBase
internal import SpliceClient

/// Gives every event of a run its place: the bar, standard output, standard error.
final class RunReporter: ClientObserver {
  private let progress: TerminalProgress?
  private let report: ResultReport
  private var hasFailedForGood = false
  private var hasStopped = false

  init(_ options: ReportOptions, direction: Direction) {
    progress = options.isQuiet ? nil : TerminalProgress()
    report = ResultReport(
      format: options.format, isQuiet: options.isQuiet, direction: direction, output: ResultOutput())
  }

  func runDidAdvance(_ progress: RunProgress) { self.progress?.show(progress) }

  func runDidNotice(_ text: [UInt8]) {
    if report.isQuiet { return }
    progress?.erase()
    ErrorLine.write(notice: text)
  }

  func runDidFinish(_ result: FileResult) {
    progress?.finish(result)
    progress?.erase()
    report.write(result)
    if case .failed(let error) = result.outcome { fail(error) }
  }

  /// An error of a file that never came to be a transfer, or of the whole run.
  func fail(_ error: ClientError) {
    progress?.erase()
    ErrorLine.write(error)
    if error.isResumable { hasStopped = true } else { hasFailedForGood = true }
  }

  /// Call once, after the last event.
  ///
  /// What failed for good outweighs what can be resumed: running the command again would not be enough.
  func finish() -> ExitStatus {
    progress?.erase()
    if hasFailedForGood || report.output.hasFailed { return .failed }
    return hasStopped ? .resumable : .done
  }
}
