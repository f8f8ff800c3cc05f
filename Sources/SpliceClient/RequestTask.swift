// One question to the server: LIST, STAT, REMOVE or VERIFY.

internal import SpliceBase
internal import SpliceEngine
package import SpliceWire

/// Asks about one path and hands the answer to a closure; asked again when the link breaks in between.
package final class RequestTask: ClientTask {
  package enum Answer {
    case listing([ListEntry])
    case information(Information)
    case removed
    case verification(Verification)
    case failed(ClientError)
  }

  private let type: FrameType
  private let path: [UInt8]
  /// For people: the root has no name of its own.
  private var shownPath: [UInt8] { path.isEmpty ? [UInt8(ascii: "/")] : path }
  private let completion: (Answer) -> Void
  private var owner: ClientRun?
  private var entries: [ListEntry] = []
  package var number: UInt64 = 0
  package private(set) var stream: UInt64 = 0
  package private(set) var result: FileResult
  package private(set) var done: UInt64 = 0
  package var isBulk: Bool { false }
  package var isChecking: Bool { type == .verify }
  package var patience: Patience? { .forAnAnswer }
  private var attempts = 0

  /// - Parameters:
  ///   - type: `.list`, `.stat`, `.remove` or `.verify`.
  ///   - completion: called once, before the run hears that the task has ended.
  package init(_ type: FrameType, path: [UInt8], completion: @escaping (Answer) -> Void) {
    self.type = type
    self.path = path
    self.completion = completion
    // Without a path in its result, a run does not report the task as a file.
    result = FileResult(path: [])
  }

  package func start(_ run: ClientRun) {
    owner = run
    stream = run.makeStream(for: self)
    entries = []
    attempts += 1
    run.send { PathRequest(path: path).append(to: &$0, type: type, stream: stream) }
  }

  package func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    switch header.type {
    case .list where type == .list:
      entries += try Listing(body: body).entries
      if !header.flags.contains(.more) { end(.listing(entries)) }
    case .stat where type == .stat: end(.information(try Information(body: body)))
    case .remove where type == .remove: end(.removed)
    case .verify where type == .verify: end(.verification(try Verification(body: body)))
    case .ack where type == .verify:
      done = try Ack(body: body).verified
      owner?.didProgress(self)
    default:
      end(.failed(ClientError(
        .malformed, path: shownPath, text: [UInt8]("the server sent a message that does not belong here"),
        isResumable: true)))
    }
  }

  package func handle(_ error: ErrorMessage) {
    // The first try may have removed it before the link broke.
    if type == .remove, attempts > 1, error.code == .notFound { return end(.removed) }
    let failure = ClientError(error, path: shownPath)
    if error.code == .busy || error.code == .shuttingDown {
      owner?.retryLater(self, because: failure)
    } else {
      end(.failed(failure))
    }
  }

  package func detach() { owner?.didDetach(self) }

  private func end(_ answer: Answer) {
    completion(answer)
    owner?.finish(self)
  }
}
