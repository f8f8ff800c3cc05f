// The table, the same as JSON, and as a chart.

import Foundation

struct Report: Codable {
  var date = ""
  /// What ran, and where.
  var versions: [String: String] = [:]
  var rounds = 0
  var rows: [Row] = []
  /// Rows that could not be measured, and why.
  var failures: [String: String] = [:]

  private static func number(_ value: Double) -> String {
    guard value.isFinite else { return "-" }
    if value == value.rounded(), abs(value) < 100 { return String(Int(value)) }
    let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 1 ? 2 : 4
    return String(format: "%.\(digits)f", value)
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// Titles of the rows that do not reach what they should.
  var missed: [String] {
    rows.filter { row in row.goals.contains { !$0.isMet(by: row.value(for: $0)) } }.map(\.title)
  }

  // MARK: Text

  /// Medians with the lowest and highest value; ratios are medians of the ratios of each round.
  var table: String {
    var lines: [String] = []
    for row in rows {
      lines.append("\(row.title)  [\(row.unit), \(row.moreIsBetter ? "more" : "less") is better]")
      for (index, series) in row.series.enumerated() {
        var line = "  " + Self.padded(series.subject, 34) + Self.padded(Self.number(series.median), 10)
        let range = "\(Self.number(series.low)) … \(Self.number(series.high))"
        let spread = series.values.count > 1 ? range : ""
        line += Self.padded(spread, 22)
        if index > 0, row.hasRatios != false { line += ratioText(row, series) }
        for goal in row.goals where goal.against == (index == 0 ? nil : series.subject) {
          let verdict = goal.isMet(by: row.value(for: goal)) ? "reached" : "MISSED"
          let difference = goal.isDifference ? "difference " : ""
          line += "   \(verdict): \(difference)\(goal.bound.rawValue) \(Self.number(goal.value))"
        }
        lines.append(line)
      }
      if let note = row.note { lines.append("  (\(note))") }
      lines.append("")
    }
    return lines.joined(separator: "\n")
  }

  private func ratioText(_ row: Row, _ other: Series) -> String {
    let ratios = row.ratios(to: other)
    if ratios.isEmpty { return "" }
    let spread =
      ratios.count > 1
      ? " (\(Self.number(ratios.quantile(0.25))) … \(Self.number(ratios.quantile(0.75))))" : ""
    return "\(row.series[0].subject) ÷ this: \(Self.number(ratios.median))\(spread)"
  }

  /// Puts rows in the place of those of the same name, or at the end.
  mutating func replace(_ measured: [Row]) {
    for row in measured {
      if let index = rows.firstIndex(where: { $0.title == row.title }) {
        rows[index] = row
      } else {
        rows.append(row)
      }
    }
  }

  // MARK: Files

  static func read(from folder: String, named name: String) throws -> Report {
    let path = "\(folder)/\(name).json"
    guard let data = FileManager.default.contents(atPath: path) else {
      throw BenchError("cannot read \(path)")
    }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try decoder.decode(Report.self, from: data)
  }

  func write(to folder: String, named name: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    try encoder.encode(self).write(to: URL(fileURLWithPath: "\(folder)/\(name).json"))
    try chart.write(toFile: "\(folder)/\(name).svg", atomically: true, encoding: .utf8)
  }

  /// One group of bars a row, each row on a scale of its own; a thin line is the spread.
  private var chart: String {
    let (left, width, barHeight) = (230.0, 480.0, 18.0)
    var body = ""
    var y = 24.0
    func text(_ x: Double, _ y: Double, _ content: String, _ attributes: String = "") {
      let escaped = content.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(
        of: "<", with: "&lt;")
      body += "<text x=\"\(x)\" y=\"\(y)\" \(attributes)>\(escaped)</text>\n"
    }
    for row in rows {
      let full = row.series.map(\.high).filter(\.isFinite).max() ?? 0
      guard full > 0 else { continue }
      let direction = row.moreIsBetter ? "more is better" : "less is better"
      text(10, y, "\(row.title) (\(row.unit), \(direction))", "font-weight=\"bold\"")
      y += 8
      for (index, series) in row.series.enumerated() where series.median.isFinite {
        text(left - 8, y + 13, series.subject, "text-anchor=\"end\"")
        let bar = series.median / full * width
        let color = index == 0 ? "#d9541e" : "#8aa4bf"
        body +=
          "<rect x=\"\(left)\" y=\"\(y + 2)\" width=\"\(bar)\" height=\"\(barHeight - 4)\" fill=\"\(color)\"/>\n"
        let (low, high) = (left + series.low / full * width, left + series.high / full * width)
        let middle = y + barHeight / 2
        body += "<path d=\"M\(low) \(middle)H\(high)\" stroke=\"#222\"/>\n"
        text(left + width + 10, y + 13, Self.number(series.median))
        y += barHeight
      }
      y += 28
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(left + width) + 90)" height="\(Int(y))" \
      font-family="sans-serif" font-size="12">
      <rect width="100%" height="100%" fill="white"/>
      \(body)</svg>

      """
  }
}
