// JSON for scripts: one object a line, every byte of a name recoverable.

package import SpliceBase

/// Builds one object, key by key, in the order in which they are added.
package struct JSONObject {
  private var text: [UInt8] = [UInt8(ascii: "{")]

  package init() {}

  package mutating func add(_ key: StaticString, text value: [UInt8]) {
    begin(key)
    text.append(jsonString: value)
  }

  /// `value` needs no escaping.
  package mutating func add(_ key: StaticString, word value: StaticString) {
    begin(key)
    text.append("\"")
    text.append(value)
    text.append("\"")
  }

  /// Nil becomes null.
  package mutating func add(_ key: StaticString, number value: UInt64?) {
    begin(key)
    if let value { text.append(decimal: value) } else { text.append("null") }
  }

  package mutating func add(_ key: StaticString, isTrue value: Bool) {
    begin(key)
    text.append(value ? "true" : "false")
  }

  /// Seconds with three decimals.
  package mutating func add(_ key: StaticString, secondsOf milliseconds: UInt64) {
    begin(key)
    text.append(secondsOf: milliseconds)
  }

  /// The 16 bytes that a digest has; null for one that is not known.
  package mutating func add(_ key: StaticString, digest value: Digest) {
    begin(key)
    if value == .zero {
      text.append("null")
    } else {
      text.append("\"")
      text.append(digest: value)
      text.append("\"")
    }
  }

  package mutating func add(_ key: StaticString, time value: Timestamp) {
    begin(key)
    text.append("\"")
    text.append(exactTime: value)
    text.append("\"")
  }

  /// The object and a newline.
  package var line: [UInt8] { text + [UInt8(ascii: "}"), UInt8(ascii: "\n")] }

  private mutating func begin(_ key: StaticString) {
    if text.count > 1 { text.append(",") }
    text.append("\"")
    text.append(key)
    text.append("\":")
  }
}

extension Array where Element == UInt8 {
  /// Appends `text` as a string of JSON. A byte that is not UTF-8 becomes a lone surrogate, `\udcff`, as
  /// Python's "surrogateescape" has it: `os.fsencode(json.loads(line)["path"])` gives the very bytes.
  package mutating func append(jsonString text: [UInt8]) {
    append("\"")
    var index = 0
    while index < text.count {
      switch DecodedText.decode(text, at: index) {
      case .scalar(let scalar, let count):
        switch scalar {
        case 0x22: append("\\\"")
        case 0x5C: append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        default:
          // The same characters as on a terminal, where these lines may end up too. All are below U+10000.
          if DecodedText.isHidden(scalar) {
            append(jsonEscape: UInt16(truncatingIfNeeded: scalar))
          } else {
            append(contentsOf: text[index..<(index + count)])
          }
        }
        index += count
      case .byte(let byte):
        append(jsonEscape: 0xDC00 | UInt16(byte))
        index += 1
      }
    }
    append("\"")
  }

  private mutating func append(jsonEscape unit: UInt16) {
    append("\\u")
    append(hexOf: [UInt8(unit >> 8), UInt8(truncatingIfNeeded: unit)])
  }

  /// Appends the 16 bytes that a digest of this protocol has, in hexadecimal, without the padding.
  package mutating func append(digest: Digest) {
    var bytes: [UInt8] = []
    digest.append(to: &bytes, count: 16)
    append(hexOf: bytes)
  }
}
