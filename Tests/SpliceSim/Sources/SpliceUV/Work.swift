// The thread pool, name look-ups, threads and locks, all in the one thread of the simulation.

internal import SpliceBase
package import SpliceSystem

package protocol PoolJob: AnyObject {
  func run()
  func finish(cancelled: Bool)
}

/// A job runs in one go, except that its system calls let others run; its end is told later.
package final class PoolRequest: EventSource {
  private enum State {
    case idle
    case queued
    case running
    case done
  }

  /// Nanoseconds that a job may wait for a thread, at most.
  nonisolated(unsafe) package static var patience: UInt64 = 500_000

  private let loop: Loop
  private var job: (any PoolJob)?
  private var state = State.idle
  private var time: UInt64 = 0

  package init(_ loop: Loop) { self.loop = loop }

  package var isInFlight: Bool { job != nil }
  package var label: String { state == .queued ? "job" : "job's end" }

  package func submit(_ job: any PoolJob) {
    require(self.job == nil, "a pool request in flight was submitted again")
    self.job = job
    state = .queued
    time = World.current.now + World.current.below(Self.patience)
    loop.submit(self)
  }

  @discardableResult
  package func cancel() -> Bool { false }

  package func readyTime(_ world: World) -> UInt64? { state == .queued || state == .done ? time : nil }

  package func fire(_ world: World) {
    guard let job else { panic("the pool ran a request without a job") }
    if state == .queued {
      state = .running
      let before = loop.owner.isInJob
      loop.owner.isInJob = true
      job.run()
      loop.owner.isInJob = before
      state = .done
      time = world.now + world.below(Self.patience / 4)
    } else {
      self.job = nil
      state = .idle
      loop.didFinish(self)
      job.finish(cancelled: false)
    }
  }
}

package struct ResolvedAddress: Equatable, Sendable {
  package var bytes: [UInt8]
  package var port: UInt16
  package var scope: UInt32

  package init(bytes: [UInt8], port: UInt16, scope: UInt32) {
    self.bytes = bytes
    self.port = port
    self.scope = scope
  }
}

/// Every name is the one server's.
package final class Resolver: EventSource {
  private let loop: Loop
  private let time: UInt64
  private var completion: ((Result<[ResolvedAddress], UVError>) -> Void)?
  private let port: UInt16
  private var isCancelled = false

  private init(
    _ loop: Loop, port: UInt16, completion: @escaping (Result<[ResolvedAddress], UVError>) -> Void
  ) {
    self.loop = loop
    self.port = port
    self.completion = completion
    time = World.current.now + World.current.below(5_000_000)
  }

  @discardableResult
  package static func resolve(
    host: [UInt8], port: UInt16, loop: Loop,
    completion: @escaping (Result<[ResolvedAddress], UVError>) -> Void
  ) throws(UVError) -> Resolver {
    let resolver = Resolver(loop, port: port, completion: completion)
    loop.submit(resolver)
    return resolver
  }

  @discardableResult
  package func cancel() -> Bool {
    isCancelled = true
    return true
  }

  package var label: String { "resolver" }
  package func readyTime(_ world: World) -> UInt64? { time }

  package func fire(_ world: World) {
    loop.didFinish(self)
    let tell = completion
    completion = nil
    if isCancelled {
      tell?(.failure(.canceled))
    } else {
      tell?(.success([ResolvedAddress(bytes: [10, 0, 0, 1], port: port, scope: 0)]))
    }
  }
}

/// Runs its body at once: loops of several threads are loops of one world.
package final class LoopThread {
  package init(_ body: @escaping () -> Void) throws(UVError) { body() }
  package func join() {}
  package static var current: UInt { 0 }
}

/// Nothing to exclude in one thread, but a lock taken twice would be a deadlock on the real machine.
package final class Mutex: @unchecked Sendable {
  private var isLocked = false

  package init() {}

  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock()
    defer { unlock() }
    return try body()
  }

  package func lock() {
    require(!isLocked, "a mutex was locked twice")
    isLocked = true
  }

  package func unlock() { isLocked = false }
}
