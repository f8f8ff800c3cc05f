// What all messages but DATA have in common: a type, a body of fixed fields, one way to read and write it.

package import SpliceBase

/// Why a body could not be read. The decoder adds the type to make a `WireError` of it.
package enum FieldError: Error, Equatable {
  case truncated
  case badValue
}

/// A message with a body. Fields are in network order, without padding; byte strings have a 16-bit
/// length in front.
package protocol Message: Equatable {
  static var type: FrameType { get }
  func appendBody(to output: inout [UInt8])
  init(fields: inout ByteReader) throws(FieldError)
}

extension Message {
  /// Appends the whole frame.
  package func append(to output: inout [UInt8], stream: UInt64, flags: FrameFlags = []) {
    let start = output.count
    FrameHeader(Self.type, flags: flags, length: 0, stream: stream).append(to: &output)
    appendBody(to: &output)
    let length = UInt32(output.count - start - FrameHeader.byteCount)
    require(length <= Self.type.bodyMax, "a message fits its type's limit")
    for index in 0..<4 {
      output[start + 4 + index] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * index))
    }
  }

  /// Reads a whole body; every byte of it must be used.
  package init(body: [UInt8]) throws(WireError) {
    var reader = ByteReader(body)
    do throws(FieldError) {
      try self.init(fields: &reader)
    } catch {
      switch error {
      case .truncated: throw .truncated(type: Self.type.rawValue)
      case .badValue: throw .badValue(type: Self.type.rawValue)
      }
    }
    guard reader.remaining == 0 else { throw .trailing(type: Self.type.rawValue) }
  }
}

extension Array where Element == UInt8 {
  package mutating func append(lengthPrefixed bytes: [UInt8]) {
    append(integer: UInt16(bytes.count))
    append(contentsOf: bytes)
  }
}

extension ByteReader {
  package mutating func lengthPrefixed() throws(Truncated) -> [UInt8] {
    try bytes(Int(try integer(UInt16.self)))
  }

  package mutating func timestamp() throws(Truncated) -> Timestamp {
    Timestamp(seconds: try integer(), nanoseconds: try integer())
  }
}

extension Array where Element == UInt8 {
  package mutating func append(_ timestamp: Timestamp) {
    append(integer: timestamp.seconds)
    append(integer: timestamp.nanoseconds)
  }
}
