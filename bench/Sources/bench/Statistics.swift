// Medians, spreads, and ratios of pairs.

import Foundation

extension Array where Element == Double {
  /// The `share` quantile (0 ... 1) of these values, interpolated; NaN when there are none.
  func quantile(_ share: Double) -> Double {
    guard !isEmpty else { return .nan }
    let sorted = self.sorted()
    let place = share * Double(count - 1)
    let low = Int(place)
    let high = Swift.min(low + 1, count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * (place - Double(low))
  }

  var median: Double { quantile(0.5) }
}

/// What one subject reached in one row, round by round.
struct Series: Codable {
  let subject: String
  var values: [Double] = []

  var median: Double { values.median }
  var low: Double { values.min() ?? .nan }
  var high: Double { values.max() ?? .nan }

  /// Ratios of the two values of each round.
  func ratios(to other: Series) -> [Double] { zip(values, other.values).map { $0 / $1 } }
}

/// What a row should reach.
struct Goal: Codable {
  enum Bound: String, Codable {
    case atLeast = ">="
    case atMost = "<="
  }
  /// The subject that ours is divided by; nil: the figure itself.
  var against: String?
  /// The difference counts, not the ratio.
  var isDifference = false
  let bound: Bound
  let value: Double

  func isMet(by value: Double) -> Bool { bound == .atLeast ? value >= self.value : value <= self.value }
}

/// One figure for several subjects.
struct Row: Codable {
  let title: String
  let unit: String
  let moreIsBetter: Bool
  /// Ours first.
  var series: [Series] = []
  var goals: [Goal] = []
  /// False: the series are not of one kind, and a ratio would say nothing.
  var hasRatios: Bool? = true
  /// Things a reader has to know to read it right.
  var note: String?

  init(_ title: String, _ unit: String, moreIsBetter: Bool, goals: [Goal] = [], note: String? = nil) {
    self.title = title
    self.unit = unit
    self.moreIsBetter = moreIsBetter
    self.goals = goals
    self.note = note
  }

  mutating func add(_ value: Double, to subject: String) {
    if let index = series.firstIndex(where: { $0.subject == subject }) {
      series[index].values.append(value)
    } else {
      series.append(Series(subject: subject, values: [value]))
    }
  }

  /// The first series divided by `other`, round by round.
  func ratios(to other: Series) -> [Double] { series.first?.ratios(to: other) ?? [] }

  /// What `goal` is about: the median of ours, or of the ratios or differences to another series.
  func value(for goal: Goal) -> Double {
    guard let first = series.first else { return .nan }
    guard let name = goal.against, let other = series.first(where: { $0.subject == name }) else {
      return first.median
    }
    if goal.isDifference { return zip(first.values, other.values).map { $0 - $1 }.median }
    return ratios(to: other).median
  }
}
