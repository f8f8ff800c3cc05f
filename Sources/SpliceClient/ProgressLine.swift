// The progress bar as a line of text.

internal import SpliceBase

/// Draws one state of a run in one line of a terminal.
package enum ProgressLine {
  /// - Parameters:
  ///   - rate: bytes a second, nil while unknown.
  ///   - columns: of the terminal. The line stays one short of it: some terminals wrap at the last column.
  /// - Returns: without anything that moves the cursor.
  package static func text(_ progress: RunProgress, rate: UInt64?, columns: Int) -> [UInt8] {
    var room = max(columns - 1, 0)
    var line = countText(progress)
    // The name says more than the count.
    if line.columnCount + nameColumnsKept > room { line = [] }
    room -= line.columnCount
    var name: [UInt8] = []
    name.append(visible: progress.path)
    let nameColumnsMin = min(name.columnCount, nameColumnsKept)

    // What is known of the file, dropped from the end until a readable part of the name fits too.
    var details: [UInt8] = []
    for part in detailParts(progress, rate: rate) {
      if details.columnCount + part.columnCount + 2 + nameColumnsMin > room { break }
      details.append("  ")
      details += part
    }

    // A long name gives way to a short bar; without a bar the name gets its room.
    room -= details.columnCount
    let cutName = name.shortened(to: max(nameColumnsMin, min(room / 2, room - 2 - barColumnsMin)))
    let bar = barText(progress, columns: room - 2 - cutName.columnCount)
    if bar.isEmpty { return line + name.shortened(to: room) + details }
    line += cutName
    line.append("  ")
    return line + bar + details
  }

  /// A name is not cut below this for the sake of numbers.
  private static let nameColumnsKept = 12
  /// A shorter bar says nothing.
  private static let barColumnsMin = 10
  private static let barColumnsMax = 40

  /// "[3/120] " when there are several files.
  private static func countText(_ progress: RunProgress) -> [UInt8] {
    var text: [UInt8] = []
    if progress.filesTotal > 1 {
      text.append("[")
      text.append(decimal: UInt64(min(progress.filesDone + 1, progress.filesTotal)))
      text.append("/")
      text.append(decimal: UInt64(progress.filesTotal))
      text.append("] ")
    }
    return text
  }

  /// The most important first.
  private static func detailParts(_ progress: RunProgress, rate: UInt64?) -> [[UInt8]] {
    var phase: [UInt8] = []
    switch progress.phase {
    case .connecting: return [[UInt8]("connecting")]
    case .checking: phase.append("checking")
    case .moving: break
    case .waiting(let milliseconds):
      phase.append("waiting ")
      phase.append(decimal: milliseconds / 1000 + (milliseconds % 1000 > 0 ? 1 : 0))
      phase.append(" s")
    }
    var parts: [[UInt8]] = []
    parts.append(percentText(progress))
    if !phase.isEmpty { parts.append(phase) }

    // Fixed widths, so that the line does not dance.
    var amount: [UInt8] = []
    amount.append(size: progress.done)
    amount = aligned(amount, columns: 8)
    amount.append(" of ")
    amount.append(size: progress.total)
    parts.append(amount)
    if case .waiting = progress.phase { return parts }

    guard let rate else { return parts }
    var speed: [UInt8] = []
    speed.append(size: rate)
    speed.append("/s")
    parts.append(aligned(speed, columns: 10))
    if rate > 0, progress.total > progress.done {
      let rest = progress.total - progress.done
      var left: [UInt8] = []
      left.append(clock: rest / rate + (rest % rate > 0 ? 1 : 0))
      left.append(" left")
      parts.append(left)
    }
    return parts
  }

  private static func percentText(_ progress: RunProgress) -> [UInt8] {
    var text: [UInt8] = []
    text.append(decimal: share(progress, of: 100))
    text.append("%")
    return aligned(text, columns: 4)
  }

  /// Empty when there is no room for one.
  private static func barText(_ progress: RunProgress, columns: Int) -> [UInt8] {
    if columns < barColumnsMin || progress.phase == .connecting { return [] }
    let inner = min(columns, barColumnsMax) - 2
    let filled = Int(share(progress, of: UInt64(inner)))
    var bar = [UInt8(ascii: "[")]
    bar += repeatElement(UInt8(ascii: "="), count: filled)
    if filled < inner { bar.append(UInt8(ascii: ">")) }
    bar += repeatElement(UInt8(ascii: " "), count: max(0, inner - filled - 1))
    bar.append(UInt8(ascii: "]"))
    return bar
  }

  /// What part of `whole` is done, rounded down: 100 % means all. An empty file is all done.
  private static func share(_ progress: RunProgress, of whole: UInt64) -> UInt64 {
    if progress.done >= progress.total { return whole }
    let product = progress.done.multipliedFullWidth(by: whole)
    // done < total, so the quotient is below `whole` and cannot overflow.
    return progress.total.dividingFullWidth(product).quotient
  }

  private static func aligned(_ text: [UInt8], columns: Int) -> [UInt8] {
    text.count >= columns ? text : [UInt8](repeating: UInt8(ascii: " "), count: columns - text.count) + text
  }
}
