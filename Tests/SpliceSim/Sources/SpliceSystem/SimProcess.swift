// One run of a program on a simulated machine, and its sudden end.

internal import SpliceBase

/// How a process dies without being asked.
package enum Crash: Sendable {
  /// kill -9: what it wrote is in the page cache, its connections are closed by the kernel.
  case kill
  /// The machine loses power: only what is on stable storage is left, connections fall silent.
  case powerCut
}

/// A loop of a process, as far as the process must know it.
package protocol SimLoop: AnyObject {
  /// Ends, and returns true, when it was run and has nothing left to run for.
  func endIfIdle() -> Bool
}

/// A process. After a crash it is a ghost: the product's code unwinds, but none of its calls has any effect.
///
/// A ghost is asked to stop, so that it lets go of everything it holds: also then its buffers must balance.
package final class SimProcess {
  package let machine: Machine
  package let name: String
  package let id: UInt32
  /// A ghost.
  package private(set) var isDead = false
  package private(set) var isEnded = false
  package private(set) var sources: [any EventSource] = []
  /// It dies when it has changed something so many times more.
  package var crashPlan: (changes: UInt64, crash: Crash)?
  /// Its loops that have not ended.
  package var loops: [any SimLoop] = []
  package var onEnd: (() -> Void)?
  package var onCrash: ((Crash) -> Void)?
  /// A job of the pool runs, not the loop's thread.
  package var isInJob = false
  private var pendingSignals: [Int32] = []
  private var wasAskedToStop = false
  private(set) var files: [Int32: OpenFile] = [:]
  private(set) var endpoints: [Int32: Endpoint] = [:]
  private(set) var listeners: [Int32: Listener] = [:]
  private var nextDescriptor: Int32 = 3
  /// Kept until it ends: what main holds.
  package var held: AnyObject?

  init(_ machine: Machine, _ name: String, id: UInt32) {
    self.machine = machine
    self.name = name
    self.id = id
  }

  package func add(_ source: any EventSource) { sources.append(source) }

  package func remove(_ source: any EventSource) { sources.removeAll { $0 === source } }

  // MARK: Descriptors

  func open(_ file: OpenFile) -> Int32 {
    nextDescriptor += 1
    files[nextDescriptor] = file
    return nextDescriptor
  }

  func open(_ endpoint: Endpoint) -> Int32 {
    nextDescriptor += 1
    endpoints[nextDescriptor] = endpoint
    return nextDescriptor
  }

  func open(_ listener: Listener) -> Int32 {
    nextDescriptor += 1
    listeners[nextDescriptor] = listener
    return nextDescriptor
  }

  func close(_ descriptor: Int32) {
    files.removeValue(forKey: descriptor)?.close()
    if let endpoint = endpoints.removeValue(forKey: descriptor) { World.current.network.close(endpoint) }
    if let listener = listeners.removeValue(forKey: descriptor) { World.current.network.close(listener) }
  }

  /// What a watcher of the descriptor waits for.
  package func readiness(of descriptor: Int32) -> (any Pollable)? {
    endpoints[descriptor] ?? listeners[descriptor]
  }

  // MARK: System calls

  /// Every system call begins here.
  ///
  /// - Parameter changes: it changes the disk or sends bytes, so a crash just before it makes a difference.
  func call(_ name: @autoclosure () -> String, changes: Bool) throws(Errno) {
    if isDead { throw .inputOutput }
    let world = World.current
    // What the call before this one did is looked at now.
    world.onCall?()
    world.pass(self, changes: changes)
    if isDead { throw .inputOutput }
    if changes, isCrashDue() {
      crash()
      throw .inputOutput
    }
    world.trace("  \(self.name) \(id) \(name())")
  }

  /// The answer to a sync that fails.
  func refusedSync() -> Errno {
    machine.disk.refusedSyncs += 1
    let faults = machine.disk.faults
    if faults.killsTheRefused, crashPlan == nil { crashPlan = (World.current.below(faults.refusesOnce ? 3 : 8), .kill) }
    if faults.refusesOnce { machine.disk.faults = DiskFaults() }
    return .inputOutput
  }

  /// Counts one change. True: now it dies.
  func isCrashDue() -> Bool {
    guard let plan = crashPlan else { return false }
    if plan.changes > 0 {
      crashPlan = (plan.changes - 1, plan.crash)
      return false
    }
    return true
  }

  /// Dies as planned, now.
  func crash() {
    guard let plan = crashPlan else { return }
    crashPlan = nil
    die(plan.crash)
  }

  package func die(_ crash: Crash) {
    guard !isDead, !isEnded else { return }
    let world = World.current
    world.trace("\(name) \(id) dies: \(crash)")
    if crash == .powerCut {
      machine.cutPower()
    } else {
      becomeGhost(isSilent: false)
    }
    onCrash?(crash)
  }

  func becomeGhost(isSilent: Bool) {
    guard !isDead, !isEnded else { return }
    isDead = true
    for endpoint in endpoints.values { World.current.network.abandon(endpoint, isSilent: isSilent) }
    for listener in listeners.values { World.current.network.close(listener) }
    for file in files.values { file.close() }
    // SIGTERM makes both programs let go of what they hold. A second signal would end the client at once.
    if !wasAskedToStop { send(signal: 15) }
  }

  package func send(signal: Int32) {
    wasAskedToStop = true
    pendingSignals.append(signal)
  }

  package func hasSignal(_ number: Int32) -> Bool { pendingSignals.contains(number) }

  /// Returns whether the signal had come, and forgets it.
  package func takeSignal(_ number: Int32) -> Bool {
    guard let index = pendingSignals.firstIndex(of: number) else { return false }
    pendingSignals.remove(at: index)
    return true
  }

  // MARK: The end

  func endIfDone(_ world: World) {
    guard !isEnded, !isInJob else { return }
    loops.removeAll { $0.endIfIdle() }
    guard loops.isEmpty else { return }
    isEnded = true
    world.trace("\(name) \(id) ends\(isDead ? " as a ghost" : "")")
    held = nil
    sources = []
    for descriptor in Array(endpoints.keys) { close(descriptor) }
    for descriptor in Array(listeners.keys) { close(descriptor) }
    for descriptor in Array(files.keys) { close(descriptor) }
    let tell = onEnd
    onEnd = nil
    onCrash = nil
    tell?()
  }
}
