// The cursor over the bytes of one message.

import SpliceBase
import Testing

@Suite("ByteReader") struct ByteReaderTests {
  /// Reading is the inverse of appending for every width, in order.
  @Test("What was appended is read back in order")
  func readsBackWhatWasAppended() throws {
    var bytes: [UInt8] = []
    bytes.append(integer: UInt8.max)
    bytes.append(integer: UInt16(0x8001))
    bytes.append(integer: UInt32(0x8000_0001))
    bytes.append(integer: UInt64.max - 1)
    bytes.append(integer: Int64.min)
    bytes.append(contentsOf: [1, 2, 3, 4, 5])
    var reader = ByteReader(bytes)
    #expect(try reader.integer(UInt8.self) == .max)
    #expect(try reader.integer(UInt16.self) == 0x8001)
    #expect(try reader.integer(UInt32.self) == 0x8000_0001)
    #expect(try reader.integer(UInt64.self) == .max - 1)
    #expect(try reader.integer(Int64.self) == .min)
    #expect(try reader.bytes(2) == [1, 2])
    #expect(reader.remaining == 3)
    #expect(reader.rest() == [3, 4, 5])
    #expect(reader.remaining == 0)
    #expect(reader.rest().isEmpty)
  }

  /// A field that does not fit throws, and what is left can still be read as something shorter.
  @Test("A field longer than what is left is refused and takes nothing")
  func fieldsThatDoNotFitAreRefused() throws {
    for available in 0..<8 {
      var reader = ByteReader(Array(repeating: 7, count: available))
      #expect(throws: Truncated()) { try reader.integer(UInt64.self) }
      #expect(throws: Truncated()) { try reader.bytes(available + 1) }
      #expect(throws: Truncated()) { try reader.bytes(-1) }
      #expect(throws: Truncated()) { try reader.bytes(.max) }
      #expect(throws: Truncated()) { try reader.digest() }
      #expect(reader.remaining == available)
      #expect(try reader.bytes(available).count == available)
    }
  }
}
