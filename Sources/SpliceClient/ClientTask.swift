// What a run needs of its tasks: one file up, one file down, or one question.

internal import SpliceBase
package import SpliceEngine
package import SpliceWire

/// One piece of work that survives broken links: it is started anew on each connection until it ends by
/// calling `ClientRun.finish` or `ClientRun.fail`.
///
/// Belongs to the loop's thread; its jobs run on the pool, one at a time.
package protocol ClientTask: AnyObject {
  /// By which the run finds it; the run's alone. 0 at first.
  var number: UInt64 { get set }
  /// The stream of the current attempt; 0 before its first message.
  var stream: UInt64 { get }
  /// Large enough that many of them at a time would only slow each other down.
  var isBulk: Bool { get }
  var result: FileResult { get }
  /// For the display.
  var done: UInt64 { get }
  var isChecking: Bool { get }
  /// nil while it is not the server's turn to send a message for this task.
  var patience: Patience? { get }

  /// A connection is ready. Called only when no job is running.
  func start(_ run: ClientRun)
  func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError)
  func handle(_ error: ErrorMessage)
  /// Returns false when the bytes that follow are not wanted.
  func handleData(_ prefix: DataPrefix) -> Bool
  func handlePiece(_ slice: Slice, isLast: Bool)
  /// Queues output, one piece. Returns false when there is none now.
  func produce() -> Bool
  /// The connection is gone. Calls `ClientRun.didDetach` when no job runs and everything worth keeping is
  /// on disk.
  func detach()
}

extension ClientTask {
  package func handleData(_ prefix: DataPrefix) -> Bool { false }
  package func handlePiece(_ slice: Slice, isLast: Bool) {}
  package func produce() -> Bool { false }
}

/// Where a run gets its tasks from.
package protocol TaskSource: AnyObject {
  /// The next task; nil when there is none now. A task that ends may bring new ones.
  ///
  /// - Throws: what is wrong with one operand; the next call goes on behind it.
  func nextTask() throws(ClientError) -> (any ClientTask)?
}
