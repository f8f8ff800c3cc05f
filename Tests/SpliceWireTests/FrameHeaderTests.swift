// What a header alone is enough to refuse.

import SpliceBase
import SpliceWire
import Testing

@Suite("FrameHeader") struct FrameHeaderTests {
  /// The refusal comes with the header: no byte of the body has been sent.
  @Test("A length one above the limit is refused before any body is there", arguments: FrameType.allCases)
  func lengthsAboveTheLimit(type: FrameType) throws {
    let limit = type == .data ? UInt32(8 + Limits.dataPayloadMax) : UInt32(Limits.controlBodyMax)
    #expect(failure(of: frame(type.rawValue, length: limit)) == nil)
    for length in [limit + 1, limit + 2, limit + 32, limit + 33, .max] {
      #expect(
        failure(of: frame(type.rawValue, length: length)) == .tooLong(type: type.rawValue, count: length))
    }
  }

  /// With a digest in front, a DATA frame may be 32 bytes longer, and not one more.
  @Test("The digest of a block is counted apart from the payload of DATA")
  func lengthsOfDataWithDigest() {
    let limit = UInt32(40 + Limits.dataPayloadMax)
    #expect(failure(of: frame(7, flags: 1, length: limit)) == nil)
    #expect(failure(of: frame(7, flags: 1, length: limit + 1)) == .tooLong(type: 7, count: limit + 1))
  }

  /// DATA without file bytes would be a message that moves nothing.
  @Test("DATA too short for one file byte is refused before its fields are there")
  func lengthsOfShortData() {
    for length in UInt32(0)...8 { #expect(failure(of: frame(7, length: length)) == .truncated(type: 7)) }
    for length in UInt32(0)...40 {
      #expect(failure(of: frame(7, flags: 1, length: length)) == .truncated(type: 7))
    }
    #expect(failure(of: frame(7, length: 9)) == nil)
    #expect(failure(of: frame(7, flags: 1, length: 41)) == nil)
  }

  /// The error names the type.
  @Test("Every unknown type is refused by its number")
  func unknownTypes() {
    for type in UInt8.min...UInt8.max where FrameType(rawValue: type) == nil {
      #expect(failure(of: frame(type, length: 0)) == .unknownType(type))
      #expect(WireError.unknownType(type).culprit == type)
    }
  }

  /// A table of its own, so that a flag given to one type more is noticed.
  @Test("Each type takes its own flags and refuses all others", arguments: FrameType.allCases)
  func unknownFlags(type: FrameType) {
    let known: UInt8 =
      switch type {
      case .data: 1
      case .list, .sessions, .partials: 4 + 8
      case .stat, .remove, .verify, .ping, .kick, .drain, .discard, .reload: 4
      case .want: 16
      default: 0
      }
    for flags in UInt8.min...UInt8.max {
      let error = failure(of: frame(type.rawValue, flags: flags, length: 100))
      #expect(error == (flags & ~known == 0 ? nil : .unknownFlags(type: type.rawValue, flags: flags)))
    }
    #expect(WireError.unknownFlags(type: 7, flags: 32).culprit == 32)
  }

  /// They are kept for a later version, which this one must not misread.
  @Test("Any reserved bit is refused")
  func reservedBits() {
    for bit in 0..<16 {
      #expect(failure(of: frame(18, reserved: 1 << bit, length: 0)) == .reservedBits)
    }
  }

  /// Every field comes back, at both ends of its range.
  @Test("A header is read as it was written")
  func roundTrip() throws {
    for type in FrameType.allCases {
      for length in [0, 1, 0xFFFF, type.bodyMax] where length <= type.bodyMax {
        for stream in [0, 1, 0x0102_0304_0506_0708, UInt64.max] {
          let header = FrameHeader(type, flags: type.knownFlags, length: length, stream: stream)
          var bytes: [UInt8] = []
          header.append(to: &bytes)
          #expect(bytes.count == FrameHeader.byteCount)
          #expect(try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) } == header)
        }
      }
    }
  }
}
