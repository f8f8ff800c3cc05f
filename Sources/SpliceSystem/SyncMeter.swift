// How long the disk takes to make things durable, for whoever watches the daemon.

internal import CPlatform
internal import Synchronization

/// Counts syncs by the time they took. Any thread; a sync costs a thousand times what counting it does.
///
/// Files and directories opened through a directory that has one report to it.
package final class SyncMeter: @unchecked Sendable {
  /// Upper bounds of the times that are told apart, in microseconds, rising.
  package static let boundsMicroseconds: [UInt64] = [
    100, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
  ]

  /// What was counted up to a moment.
  package struct Reading: Sendable {
    /// Syncs up to each bound and not up to the one before; the last are those above all bounds.
    package let counts: [UInt64]
    package let failures: UInt64
    package let nanoseconds: UInt64
  }

  private let counts: UnsafeMutablePointer<Atomic<UInt64>>
  private let size: Int
  private let failures = Atomic<UInt64>(0)
  private let nanoseconds = Atomic<UInt64>(0)

  package init() {
    size = Self.boundsMicroseconds.count + 1
    counts = .allocate(capacity: size)
    for index in 0..<size { (counts + index).initialize(to: Atomic(0)) }
  }

  deinit {
    counts.deinitialize(count: size)
    counts.deallocate()
  }

  package var reading: Reading {
    Reading(
      counts: (0..<size).map { counts[$0].load(ordering: .relaxed) },
      failures: failures.load(ordering: .relaxed), nanoseconds: nanoseconds.load(ordering: .relaxed))
  }

  package func note(nanoseconds took: UInt64, failed: Bool) {
    let bounds = Self.boundsMicroseconds
    let index = bounds.firstIndex { took <= 1000 * $0 } ?? bounds.count
    counts[index].add(1, ordering: .relaxed)
    nanoseconds.add(took, ordering: .relaxed)
    if failed { failures.add(1, ordering: .relaxed) }
  }

  /// Calls `sync`, a system call that returns 0 or a negative error number, and notes how long it took.
  static func measured(_ meter: SyncMeter?, _ sync: () -> Int32) -> Int32 {
    guard let meter else { return sync() }
    let begin = csplice_monotonic_nanoseconds()
    let result = sync()
    meter.note(nanoseconds: csplice_monotonic_nanoseconds() &- begin, failed: result < 0)
    return result
  }
}
