// What `sessions` and `partials` print.

internal import SpliceBase
package import SpliceWire

extension SessionEntry {
  /// The names of the columns of `tableLine`, and a newline.
  package static let tableHeader: StaticString =
    "      ID  ADDRESS                PROTOCOL      AGE    QUIET  DOING           DONE    DURABLE  PATH\n"

  /// One line of a table for people.
  package var tableLine: [UInt8] {
    var line: [UInt8] = []
    line.append(decimal: id, columns: 8)
    line.append("  ")
    line.append(cell: address, columns: 21)
    line.append("  ")
    line.append(cell: proto, columns: 8)
    line.append(rightCell: duration(ageMilliseconds), columns: 9)
    line.append(rightCell: duration(quietMilliseconds), columns: 9)
    line.append("  ")
    line.append(cell: [UInt8](activity.word), columns: 11)
    line.append(rightCell: share, columns: 8)
    line.append(rightCell: amount(durable), columns: 11)
    line.append("  ")
    line.append(visible: path)
    if streams > 1 {
      line.append(" and ")
      line.append(decimal: UInt64(streams - 1))
      line.append(" more")
    }
    line.append("\n")
    return line
  }

  package var jsonLine: [UInt8] {
    var object = JSONObject()
    object.add("id", number: id)
    object.add("address", text: address)
    object.add("protocol", text: proto)
    object.add("worker", number: UInt64(worker))
    object.add("age", secondsOf: ageMilliseconds)
    object.add("quiet", secondsOf: quietMilliseconds)
    object.add("doing", word: activity.word)
    object.add("requests", number: UInt64(streams))
    object.add("path", text: path)
    object.add("done", number: done)
    object.add("size", number: size)
    object.add("received", number: received)
    object.add("verified", number: verified)
    object.add("durable", number: durable)
    object.add("sent", number: sent)
    return object.line
  }

  /// "42 %", or nothing where there is nothing to divide by.
  private var share: [UInt8] {
    guard size > 0, activity == .uploading || activity == .downloading else { return [] }
    var text: [UInt8] = []
    text.append(decimal: UInt64(Double(done) / Double(size) * 100))
    text.append(" %")
    return text
  }
}

extension PartialEntry {
  package static let tableHeader: StaticString = "    RECEIVED         OF        AGE  FROM                   PATH\n"

  package var tableLine: [UInt8] {
    var line: [UInt8] = []
    line.append(rightCell: amount(received), columns: 12)
    line.append(rightCell: size > 0 ? amount(size) : [UInt8]("?"), columns: 11)
    line.append(rightCell: isActive ? [UInt8]("now") : duration(ageSeconds * 1000), columns: 11)
    line.append("  ")
    line.append(cell: origin, columns: 21)
    line.append("  ")
    if path.isEmpty { line.append("(not known: its daemon was killed before it wrote that down)") }
    line.append(visible: path)
    line.append("\n")
    return line
  }

  package var jsonLine: [UInt8] {
    var object = JSONObject()
    object.add("path", text: path)
    object.add("size", number: path.isEmpty ? nil : size)
    object.add("received", number: received)
    object.add("age", number: ageSeconds)
    object.add("from", text: origin)
    object.add("active", isTrue: isActive)
    return object.line
  }
}

extension SessionActivity {
  fileprivate var word: StaticString {
    switch self {
    case .invalid, .idle: "idle"
    case .uploading: "uploading"
    case .downloading: "downloading"
    case .other: "other"
    }
  }
}

private func amount(_ bytes: UInt64) -> [UInt8] {
  var text: [UInt8] = []
  text.append(size: bytes)
  return text
}

private func duration(_ milliseconds: UInt64) -> [UInt8] {
  var text: [UInt8] = []
  text.append(clock: milliseconds / 1000)
  return text
}

extension Array where Element == UInt8 {
  fileprivate mutating func append(cell text: [UInt8], columns: Int) {
    append(contentsOf: text)
    append(contentsOf: [UInt8](repeating: UInt8(ascii: " "), count: Swift.max(0, columns - text.count)))
  }

  fileprivate mutating func append(rightCell text: [UInt8], columns: Int) {
    append(contentsOf: [UInt8](repeating: UInt8(ascii: " "), count: Swift.max(0, columns - text.count)))
    append(contentsOf: text)
  }
}
