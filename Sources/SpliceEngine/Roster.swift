// What is under way on a connection: in the order in which it began, found by number, and asked in turn.

internal import SpliceBase

/// Elements by keys that rise. With hundreds of them, looking through the elements themselves (a reference taken and
/// given back for each) cost more than the work on small files.
package struct Roster<Element> {
  private var keys: [UInt64] = []
  /// In the order in which they were added.
  package private(set) var elements: [Element] = []
  /// Whose turn it is.
  private var turn = 0

  package init() {}

  package var count: Int { keys.count }
  package var isEmpty: Bool { keys.isEmpty }
  package var first: Element? { elements.first }

  package subscript(key: UInt64) -> Element? { index(of: key).map { elements[$0] } }

  /// - Parameter key: higher than any that is here.
  package mutating func append(_ element: Element, key: UInt64) {
    if let last = keys.last { require(last < key, "the keys of a roster rise") }
    keys.append(key)
    elements.append(element)
  }

  /// Nothing happens when there is none. Returns it.
  @discardableResult
  package mutating func remove(_ key: UInt64) -> Element? {
    guard let index = index(of: key) else { return nil }
    keys.remove(at: index)
    if index < turn { turn -= 1 }
    return elements.remove(at: index)
  }

  /// The one behind the last that was taken so, or the first; nil when there is none at all. Who calls this `count`
  /// times has had all of them, also when some were removed meanwhile.
  package mutating func takeTurn() -> Element? {
    if isEmpty { return nil }
    if turn >= elements.count { turn = 0 }
    defer { turn += 1 }
    return elements[turn]
  }

  /// The one that was taken last is taken next, too.
  package mutating func keepTurn() { turn = max(0, turn - 1) }

  /// The first is taken next.
  package mutating func restartTurns() { turn = 0 }

  private func index(of key: UInt64) -> Int? {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low < keys.count && keys[low] == key ? low : nil
  }
}
