// A cursor over the bytes of one message or record, in network order. Nothing is read past the end.

/// Thrown when a field is longer than what is left.
package struct Truncated: Error, Equatable {
  package init() {}
}

package struct ByteReader {
  private let bytes: [UInt8]
  private var position = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var remaining: Int { bytes.count - position }

  package mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(Truncated) -> Value {
    let size = Value.bitWidth / 8
    guard remaining >= size else { throw Truncated() }
    var value: Value = 0
    for index in position..<position + size {
      value = (value << 8) | Value(truncatingIfNeeded: bytes[index])
    }
    position += size
    return value
  }

  package mutating func bytes(_ count: Int) throws(Truncated) -> [UInt8] {
    guard count >= 0, remaining >= count else { throw Truncated() }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  package mutating func rest() -> [UInt8] {
    defer { position = bytes.count }
    return Array(bytes[position...])
  }
}
