// Room that was promised to uploads and not reserved.

internal import SpliceUV

/// Adds up what uploads in flight still have to write. Any thread.
///
/// Where it was reserved (fallocate), what the file system says to be free is without what was promised, and nothing
/// comes in here.
package final class SpaceLedger: @unchecked Sendable {
  private let mutex = Mutex()
  private var promised: UInt64 = 0

  package init() {}

  /// Returns what is promised in all, with this.
  fileprivate func change(from old: UInt64, to new: UInt64) -> UInt64 {
    mutex.withLock {
      // No peer may make the sum turn over: what is too much stays too much.
      let (sum, overflow) = (promised - min(old, promised)).addingReportingOverflow(new)
      promised = overflow ? .max : sum
      return promised
    }
  }

  package var total: UInt64 { mutex.withLock { promised } }
}

/// One upload's part of the ledger, until it is written or the upload lets go.
package final class SpacePromise {
  private let ledger: SpaceLedger
  private var remaining: UInt64
  /// What was promised in all when this was.
  let total: UInt64

  package init(_ ledger: SpaceLedger, bytes: UInt64) {
    self.ledger = ledger
    remaining = bytes
    total = ledger.change(from: 0, to: bytes)
  }

  deinit { _ = ledger.change(from: remaining, to: 0) }

  func update(remaining now: UInt64) {
    _ = ledger.change(from: remaining, to: now)
    remaining = now
  }
}
