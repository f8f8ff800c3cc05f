// What is under way on a connection: in the order in which it began, and found by number.

/// Elements by keys that are theirs alone. With hundreds of them, looking through the elements themselves (a reference
/// taken and given back for each) cost more than the work on small files; whoever looks through numbers does not notice.
package struct Roster<Element> {
  private var keys: [UInt64] = []
  /// In the order in which they were added.
  package private(set) var elements: [Element] = []

  package init() {}

  package var count: Int { keys.count }
  package var isEmpty: Bool { keys.isEmpty }
  package var first: Element? { elements.first }

  package subscript(key: UInt64) -> Element? { keys.firstIndex(of: key).map { elements[$0] } }

  package mutating func append(_ element: Element, key: UInt64) {
    keys.append(key)
    elements.append(element)
  }

  /// Nothing happens when there is none. Returns it.
  @discardableResult
  package mutating func remove(_ key: UInt64) -> Element? {
    guard let index = keys.firstIndex(of: key) else { return nil }
    keys.remove(at: index)
    return elements.remove(at: index)
  }
}
