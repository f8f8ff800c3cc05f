// All workers of a daemon, and who gets the next connection.

internal import SpliceBase
internal import SpliceUV
internal import Synchronization

/// Spreads connections: to the worker with the fewest active transfers, then the fewest connections.
/// Transfers are few and long; spreading by a hash of the address would leave loops idle.
final class WorkerGroup: @unchecked Sendable {
  private final class Load: Sendable {
    let transfers = Atomic<Int>(0)
    let connections = Atomic<Int>(0)
  }

  let workers: [Worker]
  private let loads: [Load]
  /// Under way on all workers.
  private let transfers = Atomic<Int>(0)

  /// - Parameter first: the loop of the first worker; nil: one of its own.
  init(_ shared: Shared, _ configuration: ServerConfiguration, first: Loop?) throws(UVError) {
    // All of them before anything is opened on one: a loop that holds nothing is easy to give up.
    var loops: [Loop] = []
    do throws(UVError) {
      if let first { loops.append(first) }
      while loops.count < configuration.workers { loops.append(try Loop()) }
    } catch {
      for loop in loops { loop.close() }
      throw error
    }
    var workers: [Worker] = []
    for (index, loop) in loops.enumerated() {
      workers.append(try Worker(index: index, shared, configuration, loop))
    }
    self.workers = workers
    loads = workers.map { _ in Load() }
    for worker in workers { worker.group = self }
  }

  /// The worker for the next connection, which is counted as its from now on.
  ///
  /// - Parameter here: the choice is made already.
  func chooseWorker(here: Worker?) -> Worker {
    var best = here?.index ?? 0
    if here == nil { for index in loads.indices where isLess(index, than: best) { best = index } }
    loads[best].connections.add(1, ordering: .relaxed)
    return workers[best]
  }

  private func isLess(_ left: Int, than right: Int) -> Bool {
    let (a, b) = (loads[left].transfers.load(ordering: .relaxed), loads[right].transfers.load(ordering: .relaxed))
    if a != b { return a < b }
    return loads[left].connections.load(ordering: .relaxed) < loads[right].connections.load(ordering: .relaxed)
  }

  func didRemoveConnection(from index: Int) { loads[index].connections.subtract(1, ordering: .relaxed) }

  /// Returns false when there are as many transfers as are allowed.
  func beginTransfer(on index: Int, max: Int) -> Bool {
    let count = transfers.add(1, ordering: .relaxed).newValue
    if count > max {
      transfers.subtract(1, ordering: .relaxed)
      return false
    }
    loads[index].transfers.add(1, ordering: .relaxed)
    return true
  }

  func didEndTransfer(on index: Int) {
    transfers.subtract(1, ordering: .relaxed)
    loads[index].transfers.subtract(1, ordering: .relaxed)
  }

  func transferCount(on index: Int) -> Int { loads[index].transfers.load(ordering: .relaxed) }

  var transferCount: Int { transfers.load(ordering: .relaxed) }

  /// Passes a message to the worker that serves `address`.
  func post(_ message: Message, to address: StreamAddress) { workers[address.worker].post(message) }
}
