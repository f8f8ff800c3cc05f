// Integers, digits and comparisons of byte arrays.

import SpliceBase
import Testing

@Suite("Bytes") struct BytesTests {
  /// Every width and both signs come out most significant byte first.
  @Test("Integers are appended in network order")
  func integersAreAppendedInNetworkOrder() {
    var bytes: [UInt8] = []
    bytes.append(integer: UInt8(0x01))
    bytes.append(integer: UInt16(0x0203))
    bytes.append(integer: UInt32(0x0405_0607))
    bytes.append(integer: UInt64(0x0809_0A0B_0C0D_0E0F))
    bytes.append(integer: Int64(-2))
    #expect(bytes == Array(1...15) + [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE])
  }

  /// The digits are the ones Swift itself prints, at every power of ten and next to it.
  @Test("Decimal digits are exact at every power of ten and at both ends of the range")
  func decimalDigitsAreExact() {
    var values: [UInt64] = [0, 1, 9, UInt64(UInt32.max), .max - 1, .max]
    var power: UInt64 = 1
    for _ in 1...19 {
      power *= 10
      values += [power - 1, power, power + 1]
    }
    for value in values {
      var bytes: [UInt8] = [0x21]
      bytes.append(decimal: value)
      #expect(bytes == [0x21] + Array("\(value)".utf8))
      #expect(parseDecimal(bytes[1...]) == value, "\(value)")
    }
  }

  /// A number must be all of the text: nothing before, inside or after it.
  @Test(
    "Text that is not a decimal number is refused",
    arguments: [
      "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "/", ":", "18446744073709551616",
      "18446744073709551620", "99999999999999999999", "184467440737095516150",
    ])
  func textThatIsNoNumberIsRefused(text: String) {
    #expect(parseDecimal(Array(text.utf8)) == nil)
  }

  /// All 256 byte values print as Swift prints them.
  @Test("Bytes print as two lower-case hexadecimal digits each")
  func hexadecimalDigits() {
    for byte in UInt8.min...UInt8.max {
      var bytes: [UInt8] = []
      bytes.append(hexOf: [byte])
      let digits = String(byte, radix: 16)
      #expect(bytes == Array((digits.count == 1 ? "0" + digits : digits).utf8))
    }
  }

  /// Prefix, suffix and equality agree with the standard library, also for empty text.
  @Test("Bytes compare with static text by value and by length")
  func comparisonWithText() {
    let bytes = [UInt8]("splice.part")
    #expect(bytes == Array("splice.part".utf8))
    #expect(bytes.starts(with: "splice") && bytes.starts(with: "") && bytes.starts(with: "splice.part"))
    #expect(!bytes.starts(with: "splice.part.") && !bytes.starts(with: "Splice"))
    #expect(bytes.ends(with: ".part") && bytes.ends(with: "") && bytes.ends(with: "splice.part"))
    #expect(!bytes.ends(with: "-splice.part") && !bytes.ends(with: ".parT"))
    #expect(bytes == "splice.part")
    #expect(!(bytes == "splice.par") && !(bytes == "splice.parts") && !(bytes == "splice.pArt"))
    #expect([UInt8]() == ("" as StaticString))
    var text = [UInt8]("a")
    text.append("bc" as StaticString)
    #expect(text == [0x61, 0x62, 0x63])
  }
}
