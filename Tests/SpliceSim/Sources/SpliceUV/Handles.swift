// Timers, wakeups, signals and socket watchers of a simulated loop.

internal import SpliceBase
internal import SpliceSystem

package final class Timer: Handle {
  private var onFire: (() -> Void)?
  private var due: UInt64?
  private var period: UInt64 = 0

  package init(_ loop: Loop, onFire: (() -> Void)? = nil) throws(UVError) {
    self.onFire = onFire
    super.init(loop)
  }

  package func start(after milliseconds: UInt64, repeating: UInt64 = 0) {
    require(state == .open, "a closed timer was started")
    require(onFire != nil, "a timer was started without a closure")
    due = World.current.now + milliseconds * 1_000_000
    period = repeating * 1_000_000
  }

  package func start(after milliseconds: UInt64, repeating: UInt64 = 0, _ fire: @escaping () -> Void) {
    onFire = fire
    start(after: milliseconds, repeating: repeating)
  }

  package func stop() {
    require(state == .open, "a closed timer was stopped")
    due = nil
  }

  override var isActive: Bool { state == .open && due != nil }
  override package var label: String { "timer" }
  override func dueTime(_ world: World) -> UInt64? { due }

  override func tell(_ world: World) {
    due = period > 0 ? world.now + period : nil
    onFire?()
  }

  override func forget() { onFire = nil }
}

package final class Wakeup: Handle, @unchecked Sendable {
  package var onWake: (() -> Void)?
  private var isSignaled = false
  private var isReferenced = true

  package init(_ loop: Loop, onWake: (() -> Void)? = nil) throws(UVError) {
    self.onWake = onWake
    super.init(loop)
  }

  package func signal() {
    require(state == .open, "a closed wakeup was signaled")
    isSignaled = true
  }

  package func letLoopEnd() { isReferenced = false }

  override var isActive: Bool { state == .open && isReferenced }
  override package var label: String { "wakeup" }
  override func dueTime(_ world: World) -> UInt64? { isSignaled ? 0 : nil }

  override func tell(_ world: World) {
    isSignaled = false
    onWake?()
  }

  override func forget() { onWake = nil }
}

package final class SignalWatcher: Handle {
  package static let hangUp: Int32 = 1
  package static let interrupt: Int32 = 2
  package static let userOne: Int32 = 10
  package static let userTwo: Int32 = 12
  package static let terminate: Int32 = 15
  package static let windowChanged: Int32 = 28

  private var onSignal: (() -> Void)?
  private let number: Int32

  package init(_ loop: Loop, signal: Int32, onSignal: @escaping () -> Void) throws(UVError) {
    self.onSignal = onSignal
    number = signal
    super.init(loop)
  }

  override var isActive: Bool { state == .open }
  override package var label: String { "signal watcher" }
  override func dueTime(_ world: World) -> UInt64? { loop.owner.hasSignal(number) ? 0 : nil }

  override func tell(_ world: World) {
    if loop.owner.takeSignal(number) { onSignal?() }
  }

  override func forget() { onSignal = nil }
}

package struct PollEvents: OptionSet, Sendable {
  package let rawValue: Int32

  package init(rawValue: Int32) { self.rawValue = rawValue }

  package static let readable = PollEvents(rawValue: 1)
  package static let writable = PollEvents(rawValue: 2)
  package static let disconnect = PollEvents(rawValue: 4)
}

package final class SocketWatcher: Handle {
  package var onEvents: ((PollEvents) -> Void)?
  package private(set) var events: PollEvents = []
  private let descriptor: Int32

  package init(_ loop: Loop, descriptor: Int32) throws(UVError) {
    self.descriptor = descriptor
    super.init(loop)
  }

  package func watch(_ events: PollEvents) {
    require(state == .open, "a closed socket watcher was started")
    self.events = events
  }

  package func stop() { watch([]) }

  override package func close(_ closed: (() -> Void)? = nil) {
    if state == .open { events = [] }
    super.close(closed)
  }

  override var isActive: Bool { state == .open && !events.isEmpty }
  override package var label: String { "socket \(descriptor)" }

  override func dueTime(_ world: World) -> UInt64? {
    if events.isEmpty { return nil }
    // A ghost finds out by reading and writing that nothing works any more.
    if loop.owner.isDead { return 0 }
    guard let socket = loop.owner.readiness(of: descriptor) else { return nil }
    var time: UInt64 = .max
    if events.contains(.readable), let readable = socket.readableTime(world) { time = min(time, readable) }
    if events.contains(.writable), let writable = socket.writableTime(world) { time = min(time, writable) }
    return time == .max ? nil : time
  }

  override func tell(_ world: World) {
    var found: PollEvents = []
    if loop.owner.isDead {
      found = events
    } else if let socket = loop.owner.readiness(of: descriptor) {
      if events.contains(.readable), let time = socket.readableTime(world), time <= world.now {
        found.insert(.readable)
      }
      if events.contains(.writable), let time = socket.writableTime(world), time <= world.now {
        found.insert(.writable)
      }
    }
    if !found.isEmpty { onEvents?(found) }
  }

  override func forget() { onEvents = nil }
}
