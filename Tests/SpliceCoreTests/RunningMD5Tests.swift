// MD5 in pieces, and from a state that was kept.

import SpliceBase
import SpliceCore
import Testing

@Suite struct RunningMD5Tests {
  private func digits(_ md5: RunningMD5) -> String {
    md5.digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  private func running(_ bytes: [UInt8]) -> RunningMD5 {
    let md5 = RunningMD5()
    bytes.withUnsafeBytes { md5.update($0) }
    return md5
  }

  /// From RFC 1321, and the one of the capture.
  @Test(arguments: [
    ("", "d41d8cd98f00b204e9800998ecf8427e"), ("abc", "900150983cd24fb0d6963f7d28e17f72"),
    ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"), ("hello resu", "a576514e9d50aba6fe82a9b190ba732c"),
    (
      "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
      "57edf4a22be3c955ac49da2e2107b67a"
    ),
  ])
  func knownDigests(_ text: String, _ expected: String) {
    #expect(digits(running(Array(text.utf8))) == expected)
  }

  /// Behind every multiple of 64 bytes the state is all that there is to know.
  @Test func keptStateGoesOn() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let whole = digits(running(bytes))
    for count in stride(from: 0, through: 960, by: 64) {
      let state = running(Array(bytes[..<count])).state
      let md5 = RunningMD5(state: state, count: UInt64(count))
      Array(bytes[count...]).withUnsafeBytes { md5.update($0) }
      #expect(digits(md5) == whole && md5.count == 1000, "\(count) bytes")
    }
  }

  /// Asking for the digest does not end it.
  @Test func digestLeavesTheStateAlone() {
    let md5 = running(Array("abc".utf8))
    _ = md5.digest
    Array("d".utf8).withUnsafeBytes { md5.update($0) }
    #expect(md5.digest == running(Array("abcd".utf8)).digest)
  }
}
