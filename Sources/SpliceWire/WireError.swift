// What can be wrong with bytes that a peer sent.

package enum WireError: Error, Equatable {
  /// The connection did not begin with `SPLC`.
  case badMagic
  case unknownType(UInt8)
  /// A flag that the type does not have.
  case unknownFlags(type: UInt8, flags: UInt8)
  /// The reserved field of a header was not zero.
  case reservedBits
  /// A body longer than its type allows.
  case tooLong(type: UInt8, count: UInt32)
  /// A body shorter than its fields.
  case truncated(type: UInt8)
  /// A body longer than its fields.
  case trailing(type: UInt8)
  /// A field with a value outside its range.
  case badValue(type: UInt8)

  package var sentence: StaticString {
    switch self {
    case .badMagic: "the connection did not begin with SPLC"
    case .unknownType: "unknown message type"
    case .unknownFlags: "unknown flags"
    case .reservedBits: "reserved header bits are set"
    case .tooLong: "message is longer than its type allows"
    case .truncated: "message is shorter than its fields"
    case .trailing: "message has bytes after its last field"
    case .badValue: "a field has a value outside its range"
    }
  }

  /// The number that `sentence` speaks of (a type, or the flags), for the log and the peer.
  package var culprit: UInt8? {
    switch self {
    case .badMagic, .reservedBits: nil
    case .unknownType(let type), .tooLong(let type, _), .truncated(let type), .trailing(let type),
      .badValue(let type): type
    case .unknownFlags(_, let flags): flags
    }
  }
}
