// What `ls`, `stat` and `verify` print.

internal import SpliceBase
package import SpliceWire

/// How names are written.
package enum NameStyle: Sendable {
  /// On a terminal: every byte that would not show is escaped.
  case visible
  /// Into a pipe: the very bytes, as ls(1) does.
  case exact
}

extension ListEntry {
  /// The name, a "/" after that of a folder, and a newline.
  package func shortLine(_ style: NameStyle) -> [UInt8] {
    var line: [UInt8] = []
    line.append(name, style)
    if kind == .directory { line.append("/") }
    line.append("\n")
    return line
  }

  /// Mode, size, time in UTC and name: "-rw-r--r--     12345678 2026-11-21 12:26:23 a.jpg".
  package func longLine(_ style: NameStyle) -> [UInt8] {
    var line: [UInt8] = []
    line.append(mode: mode, kind: kind)
    line.append(" ")
    line.append(decimal: size, columns: 12)
    line.append(" ")
    line.append(dateAndTime: modified)
    line.append(" ")
    return line + shortLine(style)
  }

  package var jsonLine: [UInt8] {
    var object = JSONObject()
    object.add("name", text: name)
    object.add("kind", word: kind.word)
    object.add("size", number: size)
    object.add("mode", text: octal(mode))
    object.add("modified", time: modified)
    return object.line
  }

  /// The order of `ls`: by the bytes of the name, because no locale is right for all.
  package static func isOrdered(_ left: ListEntry, _ right: ListEntry) -> Bool {
    left.name.lexicographicallyPrecedes(right.name)
  }
}

extension Information {
  /// "key: value" lines.
  package func textLines(path: [UInt8], _ style: NameStyle) -> [UInt8] {
    var text = [UInt8]("path: ")
    text.append(path, style)
    text.append("\nkind: ")
    text.append(kind.word)
    text.append("\nsize: ")
    text.append(decimal: size)
    text.append("\nmode: ")
    text += octal(mode)
    text.append("\nmodified: ")
    text.append(exactTime: modified)
    text.append("\nversion: ")
    text.append(decimal: version)
    text.append("\ndigest: ")
    if proof == .zero { text.append("not known yet") } else { text.append(digest: proof) }
    text.append("\npartial: ")
    text.append(decimal: partialReceived)
    text.append("\n")
    return text
  }

  package func jsonLine(path: [UInt8]) -> [UInt8] {
    var object = JSONObject()
    object.add("path", text: path)
    object.add("kind", word: kind.word)
    object.add("size", number: size)
    object.add("mode", text: octal(mode))
    object.add("modified", time: modified)
    object.add("version", number: version)
    object.add("digest", digest: proof)
    object.add("partial", number: partialReceived)
    return object.line
  }
}

extension Verification {
  /// "a.jpg: intact, 12.3 MB, 99aa06d3014798d86001c324468d497f" and a newline.
  package func textLine(path: [UInt8]) -> [UInt8] {
    var line: [UInt8] = []
    line.append(visible: path)
    line.append(": ")
    switch state {
    case .intact: line.append("intact, ")
    case .recorded: line.append("had no digests to compare with, now recorded, ")
    case .damaged:
      line.append("damaged from byte ")
      line.append(decimal: damagedFrom)
      line.append(", ")
    case .invalid: line.append("no answer, ")
    }
    line.append(size: size)
    line.append(", ")
    line.append(digest: proof)
    line.append("\n")
    return line
  }

  package func jsonLine(path: [UInt8]) -> [UInt8] {
    var object = JSONObject()
    object.add("path", text: path)
    switch state {
    case .intact: object.add("status", word: "intact")
    case .recorded: object.add("status", word: "recorded")
    case .damaged: object.add("status", word: "damaged")
    case .invalid: object.add("status", word: "failed")
    }
    object.add("size", number: size)
    object.add("digest", digest: proof)
    object.add("damaged_from", number: state == .damaged ? damagedFrom : nil)
    return object.line
  }
}

extension EntryKind {
  fileprivate var word: StaticString {
    switch self {
    case .file: "file"
    case .directory: "directory"
    case .other, .invalid: "other"
    }
  }
}

/// "0644".
private func octal(_ mode: UInt32) -> [UInt8] {
  [9, 6, 3, 0].map { shift in UInt8(ascii: "0") + UInt8(mode >> UInt32(shift) & 7) }
}

extension Array where Element == UInt8 {
  fileprivate mutating func append(_ name: [UInt8], _ style: NameStyle) {
    switch style {
    case .visible: append(visible: name)
    case .exact: append(contentsOf: name)
    }
  }

  /// Appends "drwxr-xr-x"; "?" in front of what is neither file nor folder.
  package mutating func append(mode: UInt32, kind: EntryKind) {
    switch kind {
    case .file: append("-")
    case .directory: append("d")
    case .other, .invalid: append("?")
    }
    append(triad: mode >> 6, isSpecial: mode & 0o4000 != 0, special: UInt8(ascii: "s"))
    append(triad: mode >> 3, isSpecial: mode & 0o2000 != 0, special: UInt8(ascii: "s"))
    append(triad: mode, isSpecial: mode & 0o1000 != 0, special: UInt8(ascii: "t"))
  }

  /// The special bit stands in place of "x", as a capital where there is no "x".
  private mutating func append(triad bits: UInt32, isSpecial: Bool, special: UInt8) {
    append(bits & 4 != 0 ? "r" : "-")
    append(bits & 2 != 0 ? "w" : "-")
    let canExecute = bits & 1 != 0
    if isSpecial {
      append(canExecute ? special : special - 32)
    } else {
      append(canExecute ? "x" : "-")
    }
  }
}
