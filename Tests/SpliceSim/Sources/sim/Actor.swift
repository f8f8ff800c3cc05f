// Somebody or something outside of all processes that acts at times.

internal import SpliceSystem

final class Actor: EventSource {
  let label: String
  /// When it acts next; nil: not before somebody says so.
  var time: UInt64?
  /// It acts earlier once so many changes were made in the world.
  var changes: Int?
  private let body: () -> Void

  init(_ label: String, _ body: @escaping () -> Void) {
    self.label = label
    self.body = body
  }

  func readyTime(_ world: World) -> UInt64? {
    if let changes, world.changes >= changes { return 0 }
    return time
  }

  func fire(_ world: World) {
    time = nil
    changes = nil
    body()
  }
}
