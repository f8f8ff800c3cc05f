// When to try again over a link that broke.

package import SpliceBase

/// Exponential delays with full jitter, until a total time without progress is used up.
package struct Backoff: Sendable {
  private static let firstMilliseconds: UInt64 = 200
  private static let longestMilliseconds: UInt64 = 15_000

  private let budgetMilliseconds: UInt64
  private var failuresInARow: UInt64 = 0
  private var failingSince: Instant?
  private var random: Random

  /// - Parameter budgetSeconds: how long to go on without any progress; 0 = do not try again.
  package init(budgetSeconds: UInt64, seed: UInt64) {
    let (product, overflow) = budgetSeconds.multipliedReportingOverflow(by: 1000)
    budgetMilliseconds = overflow ? .max : product
    random = Random(seed: seed)
  }

  /// Something got through: the next failure is a first one again.
  package mutating func handleProgress() {
    failuresInARow = 0
    failingSince = nil
  }

  /// A try failed. Returns the pause before the next one, or nil when the time is used up.
  package mutating func handleFailure(now: Instant) -> UInt64? {
    let since = failingSince ?? now
    failingSince = since
    guard now.milliseconds(since: since) < budgetMilliseconds else { return nil }
    let ceiling = min(Self.firstMilliseconds << min(failuresInARow, 10), Self.longestMilliseconds)
    failuresInARow += 1
    return ceiling / 2 + random.next(upperBound: ceiling / 2 + 1)
  }
}
