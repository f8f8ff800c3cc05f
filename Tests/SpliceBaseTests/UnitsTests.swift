// Sizes and times of command lines.

import SpliceBase
import Testing

@Suite("Units") struct UnitsTests {
  static let sizes: [(text: String, size: UInt64)] = [
    ("0", 0), ("1", 1), ("512", 512), ("512B", 512), ("1K", 1024), ("1k", 1024), ("64KiB", 65_536),
    ("64kiB", 65_536), ("1KB", 1000), ("16MiB", 16 << 20), ("16M", 16 << 20), ("3MB", 3_000_000),
    ("1GiB", 1 << 30), ("1GB", 1_000_000_000), ("2T", 2 << 40), ("1TB", 1_000_000_000_000), ("0T", 0),
    ("8388608T", 1 << 63), ("9223372036854775808", 1 << 63), ("0064K", 65_536),
  ]

  /// Each unit with and without its endings.
  @Test("Sizes are read with binary and decimal units", arguments: sizes)
  func sizesAreRead(text: String, size: UInt64) {
    #expect(parseSize(Array(text.utf8)) == size)
  }

  /// A size that is not quite one is an error of the user, never a guess.
  @Test(
    "Text that is not a size is refused, and so is more than 2^63",
    arguments: [
      "", "K", "KiB", "-1", "+1", " 1", "1 ", "1 K", "1.5G", "1Ki", "1KiBs", "1KBB", "1iB", "1KIB", "1m",
      "1g", "1P", "1E", "0x10", "1,000", "1KK", "8388609T", "9223372036854775809", "18446744073709551615",
      "18446744073709551615B", "18446744073709551615K", "18446744073709551616", "99999999999999999999T",
    ])
  func badSizesAreRefused(text: String) {
    #expect(parseSize(Array(text.utf8)) == nil)
  }

  static let durations: [(text: String, seconds: UInt64)] = [
    ("0", 0), ("90", 90), ("90s", 90), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("0d", 0),
    ("3155760000", 3_155_760_000), ("36525d", 3_155_760_000),
  ]

  /// Each unit once, and the longest time in two of them.
  @Test("Durations are read in seconds, minutes, hours and days", arguments: durations)
  func durationsAreRead(text: String, seconds: UInt64) {
    #expect(parseDuration(Array(text.utf8)) == seconds)
  }

  /// As for sizes.
  @Test(
    "Text that is not a duration is refused, and so is more than a hundred years",
    arguments: [
      "", "s", "-1", " 1", "1 s", "1.5h", "1ms", "1S", "1M", "1w", "1y", "1dd", "3155760001", "36526d",
      "18446744073709551615d", "18446744073709551616",
    ])
  func badDurationsAreRefused(text: String) {
    #expect(parseDuration(Array(text.utf8)) == nil)
  }
}
