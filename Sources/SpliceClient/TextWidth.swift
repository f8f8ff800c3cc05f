// How many columns of a terminal a text takes, and how a name is cut to fit.

internal import SpliceBase

extension Array where Element == UInt8 {
  /// Columns on a terminal, never too few; for text that `append(visible:)` made.
  package var columnCount: Int {
    var columns = 0
    var index = 0
    while index < count {
      let (width, size) = self.column(at: index)
      columns += width
      index += size
    }
    return columns
  }

  /// The text in at most `columns` columns: a long one loses its beginning, because names in one folder
  /// differ at the end.
  package func shortened(to columns: Int) -> [UInt8] {
    var excess = columnCount - columns
    if excess <= 0 { return self }
    // Two dots take the place of what goes.
    excess += 2
    var index = 0
    while index < count, excess > 0 {
      let (width, size) = self.column(at: index)
      excess -= width
      index += size
    }
    return columns < 2 ? [] : [UInt8]("..") + self[index...]
  }

  private func column(at index: Int) -> (width: Int, size: Int) {
    guard case .scalar(let scalar, let size) = DecodedText.decode(self, at: index) else { return (1, 1) }
    return (isWide(scalar) ? 2 : 1, size)
  }
}

/// The blocks of which Unicode's East Asian Width says "wide", roughly and rather too many: a line that is
/// short of the edge looks better than one that wraps.
private func isWide(_ scalar: UInt32) -> Bool {
  switch scalar {
  case 0x1100...0x115F, 0x231A...0x23FF, 0x2600...0x27BF, 0x2B00...0x2BFF, 0x2E80...0xA4CF, 0xA960...0xA97F,
    0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F000...0x1FAFF,
    0x20000...0x3FFFD:
    true
  default: false
  }
}
