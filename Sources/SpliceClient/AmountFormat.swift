// Sizes and spans of time for people, by integers alone.

internal import SpliceBase

extension Array where Element == UInt8 {
  /// Appends "812 B", "12.3 MB", "1.0 GB": one decimal, units of a thousand.
  package mutating func append(size: UInt64) {
    if size < 1000 {
      append(decimal: size)
      append(" B")
      return
    }
    let units: StaticString = "kMGTPE"
    var unit = 0
    var divisor: UInt64 = 1000
    // The last digit is rounded, so 999,950 is "1.0 MB" and not "1000.0 kB".
    while unit + 1 < units.utf8CodeUnitCount, size / (divisor / 20) >= 19_999 {
      unit += 1
      divisor *= 1000
    }
    let whole = size / divisor
    let tenths = (size % divisor + divisor / 20) / (divisor / 10)
    append(decimal: whole + tenths / 10)
    append(".")
    append(decimal: tenths % 10)
    append(" ")
    append(units.utf8Start[unit])
    append("B")
  }

  /// Appends "0.52 s", "12.3 s", "2 min 05 s" or "1 h 02 min".
  package mutating func append(duration milliseconds: UInt64) {
    if milliseconds < 9_995 {
      let hundredths = (milliseconds + 5) / 10
      append(decimal: hundredths / 100)
      append(".")
      append(twoDigits: hundredths % 100)
      append(" s")
    } else if milliseconds < 59_950 {
      let tenths = (milliseconds + 50) / 100
      append(decimal: tenths / 10)
      append(".")
      append(decimal: tenths % 10)
      append(" s")
    } else if milliseconds < 3_599_500 {
      let seconds = (milliseconds + 500) / 1000
      append(decimal: seconds / 60)
      append(" min ")
      append(twoDigits: seconds % 60)
      append(" s")
    } else {
      let minutes = milliseconds / 60_000 + (milliseconds % 60_000 >= 30_000 ? 1 : 0)
      append(decimal: minutes / 60)
      append(" h ")
      append(twoDigits: minutes % 60)
      append(" min")
    }
  }

  /// Appends a clock: "0:12", "61:05" is "1:01:05".
  package mutating func append(clock seconds: UInt64) {
    if seconds >= 3600 {
      append(decimal: seconds / 3600)
      append(":")
      append(twoDigits: seconds / 60 % 60)
    } else {
      append(decimal: seconds / 60)
    }
    append(":")
    append(twoDigits: seconds % 60)
  }

  /// Appends seconds with all three decimals: "0.520".
  package mutating func append(secondsOf milliseconds: UInt64) {
    append(decimal: milliseconds / 1000)
    append(".")
    append(decimal: milliseconds % 1000, digits: 3)
  }

  package mutating func append(twoDigits value: UInt64) { append(decimal: value, digits: 2) }

  /// Appends `value` with zeros in front, to `digits` digits at least.
  package mutating func append(decimal value: UInt64, digits: Int) {
    append(padded: value, to: digits, with: UInt8(ascii: "0"))
  }

  /// Appends `value` with spaces in front, to `columns` columns at least.
  package mutating func append(decimal value: UInt64, columns: Int) {
    append(padded: value, to: columns, with: UInt8(ascii: " "))
  }

  private mutating func append(padded value: UInt64, to width: Int, with filler: UInt8) {
    var digits: [UInt8] = []
    digits.append(decimal: value)
    if digits.count < width { append(contentsOf: repeatElement(filler, count: width - digits.count)) }
    append(contentsOf: digits)
  }
}
