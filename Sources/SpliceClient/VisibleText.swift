// Names for a terminal: nothing in a hostile name can move the cursor, end the line or hide the rest.

internal import SpliceBase

/// A scalar of UTF-8 text with its extent, or one byte that is not UTF-8.
package enum DecodedText: Equatable {
  case scalar(UInt32, count: Int)
  case byte(UInt8)

  /// What begins at `index`, by the strict rules: no overlong forms, no surrogates, nothing above U+10FFFF.
  package static func decode(_ bytes: [UInt8], at index: Int) -> DecodedText {
    let first = bytes[index]
    let count: Int
    var value: UInt32
    let least: UInt32
    switch first {
    case 0x00...0x7F: return .scalar(UInt32(first), count: 1)
    case 0xC2...0xDF: (count, value, least) = (2, UInt32(first & 0x1F), 0x80)
    case 0xE0...0xEF: (count, value, least) = (3, UInt32(first & 0x0F), 0x800)
    case 0xF0...0xF4: (count, value, least) = (4, UInt32(first & 0x07), 0x10000)
    default: return .byte(first)
    }
    guard index + count <= bytes.count else { return .byte(first) }
    for next in bytes[(index + 1)..<(index + count)] {
      guard next & 0xC0 == 0x80 else { return .byte(first) }
      value = value << 6 | UInt32(next & 0x3F)
    }
    guard value >= least, value <= 0x10FFFF, !(0xD800...0xDFFF).contains(value) else { return .byte(first) }
    return .scalar(value, count: count)
  }

  /// Whether a terminal would act on it instead of showing it: controls, line separators, and the marks that
  /// turn the direction of text, with which "gpj.exe" looks like "exe.jpg".
  package static func isHidden(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0...0x1F, 0x7F...0x9F, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF: true
    default: false
    }
  }
}

extension Array where Element == UInt8 {
  /// Appends a name so that it is one line of visible characters: a newline as `\n`, a backslash as `\\`,
  /// other bytes that would not show as `\x1b`. Different names stay different.
  package mutating func append(visible name: [UInt8]) {
    append(visible: name, escapingBackslash: true)
  }

  /// Appends a sentence, which may quote a name, in the same way, but backslashes as they are.
  package mutating func append(visibleText text: [UInt8]) {
    append(visible: text, escapingBackslash: false)
  }

  private mutating func append(visible text: [UInt8], escapingBackslash: Bool) {
    var index = 0
    while index < text.count {
      let decoded = DecodedText.decode(text, at: index)
      switch decoded {
      case .scalar(let scalar, let count):
        let bytes = text[index..<(index + count)]
        if scalar == 0x5C, escapingBackslash {
          append("\\\\")
        } else if DecodedText.isHidden(scalar) {
          for byte in bytes { append(escaped: byte) }
        } else {
          append(contentsOf: bytes)
        }
        index += count
      case .byte(let byte):
        append(escaped: byte)
        index += 1
      }
    }
  }

  private mutating func append(escaped byte: UInt8) {
    switch byte {
    case 0x0A: append("\\n")
    case 0x0D: append("\\r")
    case 0x09: append("\\t")
    default:
      append("\\x")
      append(hexOf: CollectionOfOne(byte))
    }
  }
}
