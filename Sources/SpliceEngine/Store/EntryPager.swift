// Entries of a folder, a message at a time.

internal import SpliceBase
internal import SpliceSystem

/// Fills one message after the other. Belongs to the reader of one folder.
struct EntryPager<Entry> {
  /// Read already, but it did not fit the last message.
  private var held: Entry?

  /// As many entries as fit one message; the last message has `isLast`.
  ///
  /// - Parameters:
  ///   - size: bytes that an entry takes.
  ///   - read: the next entry, or nil at the end.
  mutating func next(
    size: (Entry) -> Int, _ read: () throws(Errno) -> Entry?
  ) throws(Errno) -> (entries: [Entry], isLast: Bool) {
    var entries: [Entry] = []
    var room = Limits.controlBodyMax
    while true {
      let next: Entry?
      if let held { next = held } else { next = try read() }
      guard let entry = next else { return (entries, true) }
      held = nil
      if size(entry) > room {
        held = entry
        return (entries, false)
      }
      room -= size(entry)
      entries.append(entry)
    }
  }
}
