// What C hears of a transfer.

internal import CSplice
internal import SpliceBase
internal import SpliceClient
internal import SpliceEngine
internal import SpliceSystem

/// Calls the functions of the caller's options, on the thread that transfers.
final class TransferEvents: ClientObserver, @unchecked Sendable {
  private let options: splice_transfer_options

  init(_ options: splice_transfer_options) { self.options = options }

  func runDidAdvance(_ progress: RunProgress) {
    guard let onProgress = options.on_progress else { return }
    var report = splice_progress()
    report.size = MemoryLayout<splice_progress>.size
    switch progress.phase {
    case .connecting: report.phase = SPLICE_CONNECTING
    case .checking: report.phase = SPLICE_CHECKING
    case .moving: report.phase = SPLICE_MOVING
    case .waiting(let milliseconds):
      report.phase = SPLICE_WAITING
      report.wait_milliseconds = milliseconds
    }
    report.done = progress.done
    report.total = progress.total
    report.files_done = UInt64(progress.filesDone)
    report.files_known = UInt64(progress.filesTotal)
    withText(progress.path) {
      report.path = $0
      onProgress(options.user, &report)
    }
  }

  func runDidNotice(_ text: [UInt8]) {
    guard let onNotice = options.on_notice else { return }
    withText(text) { onNotice(options.user, $0) }
  }

  func runDidFinish(_ result: FileResult) {
    guard let onResult = options.on_result else { return }
    var report = splice_result(result)
    var text = [UInt8](FailureCode(rawValue: 0).sentence)
    if case .failed(let error) = result.outcome {
      let failure = Failure(error)
      report.code = failure.code.rawValue
      report.os_error = failure.cause?.rawValue ?? 0
      report.resumable = error.isResumable ? 1 : 0
      text = failure.text
    }
    withText(text) { text in
      withText(result.path) { remote in
        withText(result.localPath) { local in
          report.text = text
          report.remote = remote
          report.local = local
          onResult(options.user, &report)
        }
      }
    }
  }

  func transferDidEnd(_ failure: Failure?) { options.on_end?(options.user, failure?.code.rawValue ?? 0) }
}

extension splice_result {
  /// All but the strings and what is wrong.
  fileprivate init(_ result: FileResult) {
    self.init()
    size = MemoryLayout<splice_result>.size
    total = result.size
    sent = result.sent
    resumed_from = result.resumedFrom
    milliseconds = result.milliseconds
    attempts = result.attempts
    already_there = result.outcome == .alreadyThere ? 1 : 0
    durable = result.isDurable ? 1 : 0
    var digits: [UInt8] = []
    var bytes: [UInt8] = []
    result.digest.append(to: &bytes)
    digits.append(hexOf: bytes)
    withUnsafeMutableBytes(of: &digest) { digest in
      for (index, digit) in digits.enumerated() where index < digest.count - 1 { digest[index] = digit }
    }
  }
}
