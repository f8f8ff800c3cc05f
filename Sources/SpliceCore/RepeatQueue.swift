// The blocks of one transfer that were damaged on the way, as both ends keep them.

internal import SpliceBase

/// Blocks that have to go again: in the order of asking, one after the other, each whole. Pure.
struct RepeatQueue: Equatable {
  /// Where they begin.
  private(set) var starts: [UInt64] = []
  /// Bytes of the first of them that went again.
  private var done: UInt64 = 0

  /// Where the next byte of them belongs; nil when there are none.
  var next: UInt64? { starts.first.map { $0 + done } }
  /// The first of them has begun, and nothing else may go before its end.
  var isUnderWay: Bool { done > 0 }
  var isFull: Bool { starts.count == Limits.repeatsMax }

  mutating func append(_ start: UInt64) { starts.append(start) }

  mutating func advance(by count: UInt64, endsBlock: Bool) {
    done += count
    guard endsBlock else { return }
    starts.removeFirst()
    done = 0
  }
}
