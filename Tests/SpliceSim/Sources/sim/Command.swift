// One command of a user: files up or files down, run again until it has succeeded.

internal import SpliceClient
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceWire

final class Command {
  enum Kind {
    case put
    case get
    /// Put, by a client that sends other bytes than it says.
    case lie
  }

  struct Item {
    /// On the client's disk, from its root.
    var local: String
    var remote: String
  }

  let kind: Kind
  let items: [Item]
  /// Done before each run of the command.
  var preparation: (() -> Void)?
  /// Some of its runs are killed when they have hardly begun.
  var isImpatient = false
  var finished: Set<String> = []
  var isDone: Bool { finished.count == items.count }
  /// Processes of it that run.
  var running = 0
  var runs = 0
  /// Runs that began when nothing was broken any more, and ended without success.
  var failuresInPeace = 0

  init(_ kind: Kind, _ items: [Item]) {
    self.kind = kind
    self.items = items
  }
}

/// A fixed list of tasks.
final class ListSource: TaskSource {
  private var tasks: [any ClientTask]

  init(_ tasks: [any ClientTask]) { self.tasks = tasks.reversed() }

  func nextTask() throws(ClientError) -> (any ClientTask)? { tasks.popLast() }
}

/// Hands results on, unless the process is a ghost: then nobody hears it.
final class Observer: ClientObserver {
  private unowned let process: SimProcess
  private let onResult: (FileResult) -> Void

  init(_ process: SimProcess, _ onResult: @escaping (FileResult) -> Void) {
    self.process = process
    self.onResult = onResult
  }

  func runDidAdvance(_ progress: RunProgress) {}

  func runDidNotice(_ text: [UInt8]) {
    World.current.trace("  \(process.name) \(process.id) notices: \(String(decoding: text, as: UTF8.self))")
  }

  func runDidFinish(_ result: FileResult) {
    if process.isDead { return }
    World.current.trace(
      "  \(process.name) \(process.id): \(String(decoding: result.path, as: UTF8.self)) \(result.outcome)")
    onResult(result)
  }
}
