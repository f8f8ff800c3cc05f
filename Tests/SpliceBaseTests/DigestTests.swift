// Digests as values of 32 bytes.

import SpliceBase
import Testing

@Suite("Digest") struct DigestTests {
  /// Bytes go in and come out in the same order, whatever the machine's byte order is.
  @Test("A digest gives back the bytes that it was made of, padded with zeros")
  func givesBackItsBytes() {
    for count in 0...Digest.byteCount {
      let bytes = (0..<count).map { UInt8(0xE0 - $0) }
      var output: [UInt8] = [0xAA]
      Digest(bytes: bytes).append(to: &output)
      #expect(output == [0xAA] + bytes + Array(repeating: 0, count: 32 - count))
      for part in 0...Digest.byteCount {
        var short: [UInt8] = []
        Digest(bytes: bytes).append(to: &short, count: part)
        #expect(short == Array(output[1..<1 + part]))
      }
    }
  }

  /// The two words of a short digest are its first 16 bytes.
  @Test("High and low words are the first sixteen bytes in network order")
  func wordsInNetworkOrder() {
    let digest = Digest(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F)
    #expect(digest == Digest(bytes: Array(0...15)))
    #expect(Digest(high: 0, low: 0) == .zero)
  }

  /// No bit may be left out of the comparison.
  @Test("Digests that differ in any one bit are not equal")
  func everyBitCounts() {
    let bytes = Array(UInt8(1)...32)
    let digest = Digest(bytes: bytes)
    for bit in 0..<256 {
      var other = bytes
      other[bit / 8] ^= 1 << (bit % 8)
      #expect(Digest(bytes: other) != digest, "bit \(bit)")
    }
    #expect(Digest(bytes: bytes) == digest)
  }

  /// A reader takes exactly the bytes asked for.
  @Test("A digest is read from a message in its full or its short form")
  func isReadFromAMessage() throws {
    var reader = ByteReader(Array(0..<49))
    #expect(try reader.digest() == Digest(bytes: Array(0..<32)))
    #expect(try reader.digest(count: 16) == Digest(bytes: Array(32..<48)))
    #expect(throws: Truncated()) { try reader.digest(count: 16) }
    #expect(reader.remaining == 1)
  }
}
