// XXH3-128 as libxxhash makes it, against published and independently computed values.

import SpliceBase
import SpliceCore
import Testing

/// Digits to a digest of 16 bytes.
func digest(_ hex: String) -> Digest {
  let digits = hex.map { UInt8($0.hexDigitValue!) }
  return Digest(bytes: stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
}

@Suite("BlockHasher") struct BlockHasherTests {
  /// The buffer of the self-test of xxHash.
  private static let selfTest: [UInt8] = {
    var state: UInt64 = 2_654_435_761
    return (0..<2367).map { _ in
      defer { state = state &* 11_400_714_785_074_694_797 }
      return UInt8(state >> 56)
    }
  }()

  /// One length for each of the code paths inside the library.
  static let published: [(count: Int, hex: String)] = [
    (0, "99aa06d3014798d86001c324468d497f"), (1, "a6cd5e9392000f6ac44bdff4074eecdb"),
    (6, "082afe0b8162d12a3e7039bdda43cfc6"), (12, "6e3efd8fc7802b18061a192713f69ad9"),
    (24, "0ce966e4678d37611e7044d28b1b901d"), (48, "a002ac4e5478227ef942219aed80f67b"),
    (81, "4952f58181ab00425e8bafb9f95fb803"), (222, "337e09641b948717f1aebd597cec6b3a"),
    (403, "1b6de21e332dd73dcdeb804d65c6dea4"), (512, "18d2d110dcc9bca1617e49599013cb6b"),
    (2048, "f736557fd47073a5dd59e2c3a5f038e0"), (2240, "ccb134fbfa7ce49d6e73a90539cf2948"),
    (2367, "e89c0f6ff369b427cb37aeb9e5d361ed"),
  ]

  /// The values of the library's own self-test, in canonical byte order.
  @Test("Digests are the published values of XXH3-128", arguments: published)
  func publishedValues(count: Int, hex: String) {
    #expect(BlockHasher.digest(of: Array(Self.selfTest[..<count])) == digest(hex))
  }

  /// Where the reads ended must not be in the digest.
  @Test("A running digest is the digest of all bytes, however they were split")
  func splits() {
    let bytes = Self.selfTest
    let whole = digest("e89c0f6ff369b427cb37aeb9e5d361ed")
    let hasher = BlockHasher()
    for size in [1, 2, 7, 64, 255, 256, 257, 1024, 2366, 2367] {
      hasher.reset()
      for start in stride(from: 0, to: bytes.count, by: size) {
        let piece = Array(bytes[start..<min(start + size, bytes.count)])
        piece.withUnsafeBytes { hasher.update($0) }
        hasher.update(UnsafeRawBufferPointer(start: nil, count: 0))
      }
      #expect(hasher.digest() == whole, "pieces of \(size)")
    }
  }

  /// Asking for the digest of a prefix does not end the hashing.
  @Test("Digests of every prefix can be taken on the way")
  func digestsOnTheWay() {
    let hasher = BlockHasher()
    var count = 0
    for (next, hex) in Self.published {
      Array(Self.selfTest[count..<next]).withUnsafeBytes { hasher.update($0) }
      count = next
      #expect(hasher.digest() == digest(hex), "\(next) bytes")
      #expect(hasher.digest() == digest(hex), "\(next) bytes, asked twice")
    }
    hasher.reset()
    #expect(hasher.digest() == digest(Self.published[0].hex))
  }

  /// A block as the protocol has it.
  @Test("A mebibyte of zeros has its known digest")
  func blockOfZeros() {
    let block = [UInt8](repeating: 0, count: 1 << 20)
    #expect(BlockHasher.digest(of: block) == digest("b6ef17a3448492b6918780b90550bf34"))
  }

  /// The check of records, with the seed that chains them.
  @Test("Record checks are XXH3-64 with a seed")
  func checks() {
    let bytes = [UInt8]("Splice")
    #expect(bytes.withUnsafeBytes { BlockHasher.check($0, seed: 0) } == 0xBFF3_77FA_ED51_ACD5)
    #expect(bytes.withUnsafeBytes { BlockHasher.check($0, seed: 1) } == 0x7B96_1E35_BEBA_5126)
    #expect(BlockHasher.check(UnsafeRawBufferPointer(start: nil, count: 0), seed: 0) == 0x2D06_8005_38D3_94C2)
  }
}
