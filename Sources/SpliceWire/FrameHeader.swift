// The 16 bytes in front of every message: type, flags, length, stream.

internal import SpliceBase

package enum FrameType: UInt8, Sendable, CaseIterable {
  case hello = 1
  case offer = 2
  case have = 3
  case probe = 4
  case chain = 5
  case resume = 6
  case data = 7
  case ack = 8
  case commit = 9
  case committed = 10
  case want = 11
  case give = 12
  case end = 13
  case list = 14
  case stat = 15
  case remove = 16
  case verify = 17
  case ping = 18
  case cancel = 19
  case error = 20
  case `repeat` = 21
  // Over the control socket only.
  case sessions = 32
  case kick = 33
  case drain = 34
  case partials = 35
  /// Removes one unfinished upload.
  case discard = 36
  case reload = 37

  /// The flags that this type may carry.
  package var knownFlags: FrameFlags {
    switch self {
    case .data: [.endOfBlock]
    case .list, .sessions, .partials: [.reply, .more]
    case .stat, .remove, .verify, .ping, .kick, .drain, .discard, .reload: [.reply]
    case .want: [.start]
    default: []
    }
  }

  /// The longest body of this type, in bytes.
  package var bodyMax: UInt32 {
    self == .data
      ? UInt32(Limits.dataPayloadMax + DataPrefix.byteCountMax) : UInt32(Limits.controlBodyMax)
  }
}

package struct FrameFlags: OptionSet, Sendable, Equatable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// DATA: these bytes end a block (or the file), and the digest of the whole block is in front of them.
  package static let endOfBlock = FrameFlags(rawValue: 1)
  // 2 was a flag of ACK, and is not used again.
  /// This is the answer to a request of the same type.
  package static let reply = FrameFlags(rawValue: 4)
  /// LIST: another answer follows.
  package static let more = FrameFlags(rawValue: 8)
  /// WANT: if the prefix is proved, send at once.
  package static let start = FrameFlags(rawValue: 16)
}

package struct FrameHeader: Equatable, Sendable {
  package static let byteCount = 16

  package var type: FrameType
  package var flags: FrameFlags
  /// Bytes that follow.
  package var length: UInt32
  /// The request that this frame belongs to; 0 = the connection itself. Chosen by the client,
  /// rising, never used twice on a connection.
  package var stream: UInt64

  package init(_ type: FrameType, flags: FrameFlags = [], length: UInt32, stream: UInt64) {
    self.type = type
    self.flags = flags
    self.length = length
    self.stream = stream
  }

  package func append(to output: inout [UInt8]) {
    output.append(type.rawValue)
    output.append(flags.rawValue)
    output.append(integer: UInt16(0))
    output.append(integer: length)
    output.append(integer: stream)
  }

  /// Checks everything that can be checked before the body is there.
  ///
  /// - Parameter bytes: exactly 16.
  package init(decoding bytes: UnsafeRawBufferPointer) throws(WireError) {
    require(bytes.count == Self.byteCount, "a header has 16 bytes")
    guard let type = FrameType(rawValue: bytes[0]) else { throw .unknownType(bytes[0]) }
    let flags = FrameFlags(rawValue: bytes[1])
    guard flags.subtracting(type.knownFlags).isEmpty else {
      throw .unknownFlags(type: bytes[0], flags: bytes[1])
    }
    guard bytes[2] == 0, bytes[3] == 0 else { throw .reservedBits }
    let length = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard length <= type.bodyMax else { throw .tooLong(type: bytes[0], count: length) }
    self.init(
      type, flags: flags, length: length,
      stream: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
  }
}
