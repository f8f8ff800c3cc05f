// The one scheduler: everything that can happen, in an order that the seed draws.

internal import CPlatform
package import SpliceBase

/// Something that may happen at a time: a timer that is due, bytes that arrive, a job of the pool.
package protocol EventSource: AnyObject {
  /// When it can happen, in nanoseconds of the world's clock; in the past means now, nil means never yet.
  func readyTime(_ world: World) -> UInt64?
  func fire(_ world: World)
  var label: String { get }
}

/// A universe of machines in one thread. Everything that is left to chance comes from its seed.
package final class World {
  /// The world that the simulated system calls act in.
  nonisolated(unsafe) package static var current = World(seed: 0)

  package var random: Random
  /// Nanoseconds. Moves with each step, with each system call, and when everybody waits.
  package private(set) var now: UInt64 = 1_000_000_000_000
  /// System calls so far that changed a disk or sent bytes.
  package private(set) var changes = 0
  package private(set) var steps = 0
  package private(set) var processes: [SimProcess] = []
  /// What belongs to no process: users, operators, broken cables.
  package var actors: [any EventSource] = []
  package let network = Network()
  /// On whose behalf code runs now.
  package private(set) var process: SimProcess?
  /// The first promise that was found broken.
  package private(set) var failure: String?
  package var isTracing = false
  /// One system call of the pool in so many lets others run meanwhile, as threads do; 0 = none.
  package var overlap: UInt64 = 12
  /// Called before each system call of a living process.
  package var onCall: (() -> Void)?
  private var depth = 0
  private var nextProcess: UInt32 = 100

  package init(seed: UInt64) { random = Random(seed: seed) }

  // MARK: Chance

  /// True once in `count` times; never for 0.
  package func chance(_ count: UInt64) -> Bool { count > 0 && random.next(upperBound: count) == 0 }

  package func below(_ bound: UInt64) -> UInt64 { bound == 0 ? 0 : random.next(upperBound: bound) }

  package func pick<Value>(_ values: [Value]) -> Value { values[Int(below(UInt64(values.count)))] }

  // MARK: Telling

  package func trace(_ text: @autoclosure () -> String) {
    guard isTracing else { return }
    let micros = now / 1000
    // Unbuffered, so that the last line before a crash is there.
    let line = "\(micros / 1_000_000).\(String(micros % 1_000_000 + 1_000_000).dropFirst()) \(text())\n"
    let bytes = Array(line.utf8)
    _ = csplice_write_stream(1, bytes, bytes.count)
  }

  /// A promise was broken. Only the first counts.
  package func fail(_ text: @autoclosure () -> String) {
    guard failure == nil else { return }
    failure = text()
    trace("BROKEN: \(text())")
  }

  // MARK: Processes

  package func start(_ machine: Machine, _ name: String, _ body: () -> Void) -> SimProcess {
    nextProcess += 1
    let process = SimProcess(machine, name, id: nextProcess)
    processes.append(process)
    trace("\(name) \(process.id) starts")
    act(as: process, body)
    process.endIfDone(self)
    return process
  }

  package func act(as other: SimProcess, _ body: () -> Void) {
    let before = process
    process = other
    body()
    process = before
  }

  // MARK: Going on

  /// Lets one thing happen; waits for the next one when nothing can happen now.
  ///
  /// - Returns: false when nothing will ever happen again.
  package func step() -> Bool {
    while true {
      var next: UInt64 = .max
      if let (source, owner) = choose(&next, withActors: true) {
        fire(source, owner)
        return true
      }
      if next == .max { return false }
      now = max(now, next)
    }
  }

  /// One of the sources that are ready, each as likely as the others.
  private func choose(_ next: inout UInt64, withActors: Bool) -> (any EventSource, SimProcess?)? {
    var chosen: (any EventSource, SimProcess?)?
    var count: UInt64 = 0
    for process in processes {
      for source in process.sources {
        guard let time = source.readyTime(self) else { continue }
        if time > now {
          next = min(next, time)
          continue
        }
        count += 1
        if below(count) == 0 { chosen = (source, process) }
      }
    }
    guard withActors else { return chosen }
    for source in actors {
      guard let time = source.readyTime(self) else { continue }
      if time > now {
        next = min(next, time)
        continue
      }
      count += 1
      if below(count) == 0 { chosen = (source, nil) }
    }
    return chosen
  }

  private func fire(_ source: any EventSource, _ owner: SimProcess?) {
    steps += 1
    now += 1000 + below(30_000)
    guard let owner else { return source.fire(self) }
    trace("\(owner.name) \(owner.id): \(source.label)")
    act(as: owner) { source.fire(self) }
    if depth == 0 {
      for process in processes { process.endIfDone(self) }
      processes.removeAll { $0.isEnded }
    }
  }

  /// A system call takes time, and on a thread of the pool others go on during it.
  func pass(_ caller: SimProcess, changes isChange: Bool) {
    now += 500 + below(20_000)
    if isChange { changes += 1 }
    guard caller.isInJob, depth < 2, chance(overlap) else { return }
    depth += 1
    for _ in 0...below(3) {
      var next: UInt64 = .max
      guard let (source, owner) = choose(&next, withActors: false) else { break }
      // Whoever runs on its loop's thread now is not asked a second time: only jobs of the pool get here.
      let before = caller.isInJob
      caller.isInJob = false
      fire(source, owner)
      caller.isInJob = before
    }
    depth -= 1
  }
}
