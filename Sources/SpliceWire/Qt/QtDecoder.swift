// Finds the messages in what a Qt client sends. Nothing is framed there: a message ends where its map ends.

internal import SpliceBase

package enum QtError: Error, Equatable {
  case tooManyEntries(UInt32)
  /// A text that no key, path or digest needs.
  case textTooLong(UInt32)
  /// An odd number of bytes is no UTF-16.
  case brokenText
  /// A type of QVariant that no client sends.
  case unknownType(UInt32)
  /// A value of another type than its key has.
  case badValue

  package var sentence: StaticString {
    switch self {
    case .tooManyEntries: "a Qt message with too many entries"
    case .textTooLong: "a Qt message with a text that is too long"
    case .brokenText: "a Qt message with a broken text"
    case .unknownType: "a Qt message with a value of an unknown type"
    case .badValue: "a Qt message with a value of the wrong type"
    }
  }
}

/// Takes the bytes as the network cuts them, and keeps no more than the field that they are in.
///
/// After a throw it must not be used again: where the next message begins is not known then.
package struct QtDecoder {
  private enum Phase {
    case head
    case keyLength
    case key
    case type
    case integer(UInt32)
    case textLength
    case text
  }

  /// The clients send at most three.
  package static let entriesMax: UInt32 = 16
  package static let keyBytesMax: UInt32 = 128
  /// No longer path can be valid: one unit of UTF-16 is at least one byte of UTF-8.
  package static let textBytesMax = UInt32(2 * Limits.pathMax)

  private static let headCount = 12

  private var phase = Phase.head
  private var field: [UInt8] = []
  /// Bytes of the whole field.
  private var needed = QtDecoder.headCount
  private var request = QtRequest(id: 0)
  private var entriesLeft: UInt32 = 0
  private var key: [UInt8] = []
  private var isNull = false

  package init() {}

  package var isBetweenMessages: Bool {
    if case .head = phase { return field.isEmpty }
    return false
  }

  /// Reads on from `position`. Returns nil when all bytes are used up and the message is not complete.
  package mutating func next(
    _ input: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(QtError) -> QtRequest? {
    while true {
      let count = min(needed - field.count, input.count - position)
      field.append(contentsOf: input[position..<position + count])
      position += count
      guard field.count == needed else { return nil }
      if let request = try takeField() { return request }
    }
  }

  /// The field is whole. Returns the request if it was the last one.
  private mutating func takeField() throws(QtError) -> QtRequest? {
    defer { field.removeAll(keepingCapacity: true) }
    switch phase {
    case .head:
      request = QtRequest(id: Int64(bitPattern: integer(UInt64.self)))
      entriesLeft = integer(UInt32.self, at: 8)
      guard entriesLeft <= Self.entriesMax else { throw .tooManyEntries(entriesLeft) }
      return nextEntry()
    case .keyLength:
      expect(.key, try textCount(max: Self.keyBytesMax))
    case .key:
      // A key that is no ASCII is none of ours, and passed over.
      key = utf8(field) ?? []
      expect(.type, 5)
    case .type:
      isNull = field[4] != 0
      return try takeType(integer(UInt32.self))
    case .integer(let type):
      try set(integer: value(type))
      return nextEntry()
    case .textLength:
      if integer(UInt32.self) == qtNullText {
        try set(text: nil)
        return nextEntry()
      }
      expect(.text, try textCount(max: Self.textBytesMax))
    case .text:
      try set(text: utf8(field) ?? [])
      return nextEntry()
    }
    return nil
  }

  private mutating func takeType(_ type: UInt32) throws(QtError) -> QtRequest? {
    switch type {
    case QtType.none: return nextEntry()
    case QtType.int, QtType.unsignedInt: expect(.integer(type), 4)
    case QtType.longLong, QtType.unsignedLongLong: expect(.integer(type), 8)
    case QtType.string: expect(.textLength, 4)
    default: throw .unknownType(type)
    }
    return nil
  }

  private mutating func expect(_ next: Phase, _ count: Int) {
    phase = next
    needed = count
  }

  private mutating func nextEntry() -> QtRequest? {
    if entriesLeft == 0 {
      expect(.head, Self.headCount)
      return request
    }
    entriesLeft -= 1
    expect(.keyLength, 4)
    return nil
  }

  private func textCount(max: UInt32) throws(QtError) -> Int {
    let count = integer(UInt32.self)
    guard count <= max else { throw .textTooLong(count) }
    guard count % 2 == 0 else { throw .brokenText }
    return Int(count)
  }

  private func integer<Value: FixedWidthInteger>(_: Value.Type, at offset: Int = 0) -> Value {
    field[offset..<offset + Value.bitWidth / 8].reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
  }

  private func value(_ type: UInt32) throws(QtError) -> Int64 {
    switch type {
    case QtType.int: return Int64(Int32(bitPattern: integer(UInt32.self)))
    case QtType.unsignedInt: return Int64(integer(UInt32.self))
    case QtType.longLong: return Int64(bitPattern: integer(UInt64.self))
    default:
      guard let value = Int64(exactly: integer(UInt64.self)) else { throw .badValue }
      return value
    }
  }

  /// A key that comes twice has its last value, as in Qt.
  private mutating func set(integer value: Int64) throws(QtError) {
    if key == QtKey.position {
      request.position = isNull ? nil : value
    } else if key == QtKey.size {
      request.size = isNull ? nil : value
    } else if key == QtKey.status {
      request.status = isNull ? nil : value
    } else if key == QtKey.path || key == QtKey.digest {
      throw .badValue
    }
  }

  private mutating func set(text: [UInt8]?) throws(QtError) {
    if key == QtKey.path {
      request.path = text
    } else if key == QtKey.digest {
      request.digest = text
    } else if key == QtKey.position || key == QtKey.size || key == QtKey.status {
      throw .badValue
    }
  }
}

/// UTF-16BE as UTF-8; nil when a surrogate stands alone.
///
/// - Parameter text: an even number of bytes.
private func utf8(_ text: [UInt8]) -> [UInt8]? {
  var result: [UInt8] = []
  var index = 0
  while index + 1 < text.count {
    let unit = UInt32(text[index]) << 8 | UInt32(text[index + 1])
    index += 2
    var scalar = unit
    if unit & 0xF800 == 0xD800 {
      guard unit < 0xDC00, index + 1 < text.count else { return nil }
      let low = UInt32(text[index]) << 8 | UInt32(text[index + 1])
      guard low & 0xFC00 == 0xDC00 else { return nil }
      index += 2
      scalar = 0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF)
    }
    append(scalar, to: &result)
  }
  return result
}

private func append(_ scalar: UInt32, to output: inout [UInt8]) {
  func continuation(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: scalar >> shift & 0x3F) }
  switch scalar {
  case 0..<0x80: output.append(UInt8(scalar))
  case 0x80..<0x800: output += [0xC0 | UInt8(scalar >> 6), continuation(0)]
  case 0x800..<0x10000: output += [0xE0 | UInt8(scalar >> 12), continuation(6), continuation(0)]
  default: output += [0xF0 | UInt8(scalar >> 18), continuation(12), continuation(6), continuation(0)]
  }
}
