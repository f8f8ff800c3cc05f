// How the links of one loop share its time.

internal import SpliceBase

/// Counts the links of a loop that have something to send, and says how much each may move in its turn.
///
/// A small answer waits for the turns of all others, so these get shorter the more there are: a round of all
/// moves about `Limits.roundBudget`, whether one link is busy or sixty-four. Belongs to the loop's thread.
package final class TurnShare {
  fileprivate var busyCount = 0

  package init() {}

  /// Bytes that one link may move, each way, before the loop looks at the others again.
  var budget: Int {
    min(Limits.turnBudgetMax, max(Limits.turnBudgetMin, Limits.roundBudget / max(1, busyCount)))
  }
}

/// What one link adds to the count.
struct TurnShareHolder {
  private let share: TurnShare
  private var isBusy = false

  init(_ share: TurnShare) { self.share = share }

  var budget: Int { share.budget }

  mutating func setBusy(_ isBusy: Bool) {
    guard isBusy != self.isBusy else { return }
    self.isBusy = isBusy
    share.busyCount += isBusy ? 1 : -1
  }
}
