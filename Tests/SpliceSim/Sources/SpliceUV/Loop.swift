// Loops whose events come from the world's scheduler instead of libuv.

package import SpliceBase
package import SpliceSystem

package struct UVError: Error, Equatable, Sendable {
  package let rawValue: Int32

  package init(rawValue: Int32) { self.rawValue = rawValue }

  package static let canceled = UVError(rawValue: -125)
  package static let invalid = UVError(rawValue: -22)
  package static let noName = UVError(rawValue: -3008)
  package static let tryAgain = UVError(rawValue: -3001)

  package func describe(into text: inout [UInt8]) { text.append("simulated") }
}

/// The life of a handle.
enum HandleState {
  case open
  case closing
  case closed
}

/// What handles have in common: they close later, and are counted until then.
package class Handle: EventSource {
  let loop: Loop
  private(set) var state = HandleState.open
  private var onClosed: (() -> Void)?

  init(_ loop: Loop) {
    self.loop = loop
    loop.open(self)
  }

  /// Keeps `run` from returning.
  var isActive: Bool { false }
  package var label: String { "handle" }
  /// When an open handle has something to tell.
  func dueTime(_ world: World) -> UInt64? { nil }
  func tell(_ world: World) {}
  func forget() {}

  package func close(_ closed: (() -> Void)? = nil) {
    if state != .open { return }
    state = .closing
    onClosed = closed
  }

  package func readyTime(_ world: World) -> UInt64? { state == .closing ? 0 : dueTime(world) }

  package func fire(_ world: World) {
    if state == .open { return tell(world) }
    state = .closed
    forget()
    let closed = onClosed
    onClosed = nil
    loop.didClose(self)
    closed?()
  }
}

/// The face of the real Loop. `run` returns at once: the world drives the loop until nothing is active.
package final class Loop: SimLoop {
  private let process: SimProcess
  private var handles: [Handle] = []
  private var isRunning = false
  private(set) var inFlightCount = 0

  package init() throws(UVError) {
    guard let process = World.current.process else { panic("a loop belongs to a process") }
    self.process = process
    process.loops.append(self)
  }

  /// A simulated process has no loop but ours.
  package init(adopting address: UnsafeMutableRawPointer) { panic("no other program has a simulated loop") }

  package var isAdopted: Bool { false }

  package func whenEmpty(_ body: @escaping () -> Void) { panic("a simulated loop was not adopted") }

  @discardableResult
  package func run() -> Bool {
    isRunning = true
    return false
  }

  package var now: Instant { Instant(milliseconds: World.current.now / 1_000_000) }

  /// The loop ends when it is idle; then every handle must have been closed.
  package func close() {}

  package func endIfIdle() -> Bool {
    guard isRunning, inFlightCount == 0, !handles.contains(where: { $0.isActive || $0.state == .closing })
    else { return false }
    if let leaked = handles.first {
      World.current.fail("\(process.name) ended with an open handle: \(leaked.label)")
      for handle in handles { process.remove(handle) }
      handles = []
    }
    return true
  }

  func open(_ handle: Handle) {
    handles.append(handle)
    process.add(handle)
  }

  func didClose(_ handle: Handle) {
    handles.removeAll { $0 === handle }
    process.remove(handle)
  }

  func submit(_ source: any EventSource) {
    inFlightCount += 1
    process.add(source)
  }

  func didFinish(_ source: any EventSource) {
    inFlightCount -= 1
    process.remove(source)
  }

  var owner: SimProcess { process }
}
