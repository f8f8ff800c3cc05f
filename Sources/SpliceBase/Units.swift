// Sizes and times as people write them on a command line.

/// `512`, `64KiB`, `64K`, `16MiB`, `1GiB`, `2T`: powers of 1,024; `MB` and the like are powers of 1,000.
/// nil for anything else or above 2^63.
package func parseSize(_ text: [UInt8]) -> UInt64? {
  let digits = text.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  guard let number = parseDecimal(digits), number <= 1 << 63 else { return nil }
  let unit = Array(text[digits.count...])
  guard let letter = unit.first else { return number }
  let exponent: Int
  switch letter {
  case UInt8(ascii: "k"), UInt8(ascii: "K"): exponent = 1
  case UInt8(ascii: "M"): exponent = 2
  case UInt8(ascii: "G"): exponent = 3
  case UInt8(ascii: "T"): exponent = 4
  default: return unit == "B" ? number : nil
  }
  let suffix = Array(unit[1...])
  let base: UInt64
  if suffix.isEmpty || suffix == "iB" {
    base = 1024
  } else if suffix == "B" {
    base = 1000
  } else {
    return nil
  }
  var size = number
  for _ in 0..<exponent {
    let (product, overflow) = size.multipliedReportingOverflow(by: base)
    if overflow || product > 1 << 63 { return nil }
    size = product
  }
  return size
}

/// `90`, `90s`, `30m`, `12h`, `7d`, in seconds. nil for anything else or above 100 years.
package func parseDuration(_ text: [UInt8]) -> UInt64? {
  let digits = text.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
  guard let number = parseDecimal(digits), number <= 3_155_760_000 else { return nil }
  let factor: UInt64
  switch text.count - digits.count {
  case 0: factor = 1
  case 1:
    switch text[digits.count] {
    case UInt8(ascii: "s"): factor = 1
    case UInt8(ascii: "m"): factor = 60
    case UInt8(ascii: "h"): factor = 3600
    case UInt8(ascii: "d"): factor = 86_400
    default: return nil
    }
  default: return nil
  }
  let seconds = number * factor
  return seconds <= 3_155_760_000 ? seconds : nil
}
