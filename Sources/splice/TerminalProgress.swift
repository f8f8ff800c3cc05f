// The progress bar: one line of standard error that is drawn over and over.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem

/// Draws where a run is, when somebody watches.
final class TerminalProgress {
  /// Ten times a second: smooth to the eye, nothing to a slow terminal.
  private static let intervalMilliseconds: UInt64 = 100
  private static let descriptor: Int32 = 2

  private var lastDrawn: Instant?
  private var isShown = false
  private var movement = RateMeter()
  private var checking = RateMeter()
  /// Bytes of the files that are finished, so that the rate does not fall to nothing between small files.
  private var finishedBytes: UInt64 = 0
  private var current = Stretch()

  /// What one phase of one file has moved so far.
  private struct Stretch {
    var path: [UInt8] = []
    var isChecking = false
    /// `done` when it began: what a resumed file already had was not moved now.
    var start: UInt64 = 0
    var moved: UInt64 = 0
  }

  /// Nil when standard error is no terminal that can draw a line again.
  init?() {
    guard Terminal.isTerminal(Self.descriptor) else { return nil }
    if let kind = Process.environment("TERM"), kind == "dumb" { return nil }
  }

  func show(_ progress: RunProgress) {
    let now = SystemClock.monotonicNow()
    measure(progress, now)
    // A wait is drawn at once: nothing follows that would draw it later.
    if let lastDrawn, now.milliseconds(since: lastDrawn) < Self.intervalMilliseconds, !progress.isWaiting {
      return
    }
    lastDrawn = now
    let rate = progress.phase == .checking ? checking.bytesPerSecond : movement.bytesPerSecond
    var line = [UInt8]("\r")
    line += ProgressLine.text(progress, rate: rate, columns: Terminal.width(Self.descriptor) ?? 80)
    line.append("\u{1b}[K")
    StandardError.write(line)
    isShown = true
  }

  /// Makes way for another line, and at the end of the run for the shell.
  func erase() {
    if !isShown { return }
    StandardError.write([UInt8]("\r\u{1b}[K"))
    isShown = false
  }

  func finish(_ result: FileResult) {
    finishedBytes &+= result.sent
    if result.path == current.path { current = Stretch() }
  }

  private func measure(_ progress: RunProgress, _ now: Instant) {
    let isChecking = progress.phase == .checking
    guard isChecking || progress.phase == .moving else { return }
    if progress.path != current.path || isChecking != current.isChecking {
      if isChecking { checking = RateMeter() }
      current = Stretch(path: progress.path, isChecking: isChecking, start: progress.done)
    }
    // A connection that broke may have lost what was not acknowledged: begin again below.
    if progress.done < current.start { current.start = progress.done }
    current.moved = progress.done - current.start
    if isChecking {
      checking.record(current.moved, now: now)
    } else {
      movement.record(finishedBytes &+ current.moved, now: now)
    }
  }
}

extension RunProgress {
  fileprivate var isWaiting: Bool {
    if case .waiting = phase { true } else { false }
  }
}
