// Dates in UTC from seconds, without the time zone files of the C library.

package import SpliceBase

/// A date and time of day in UTC, by the calendar of today carried back without end.
package struct CivilTime: Equatable, Sendable {
  package var year: Int64
  /// 1 ... 12.
  package var month: UInt64
  /// 1 ... 31.
  package var day: UInt64
  /// Since midnight, 0 ..< 86,400.
  package var secondOfDay: UInt64

  /// By Howard Hinnant's "days to civil": years begin in March, so that the leap day is the last, and 400
  /// of them are one era of always the same length. No 64-bit time overflows it.
  package init(_ time: Timestamp) {
    let secondsPerDay: Int64 = 86_400
    var days = time.seconds / secondsPerDay
    var rest = time.seconds % secondsPerDay
    if rest < 0 {
      rest += secondsPerDay
      days -= 1
    }
    secondOfDay = UInt64(rest)

    let daysFromEra = days + 719_468
    let era = (daysFromEra >= 0 ? daysFromEra : daysFromEra - 146_096) / 146_097
    let dayOfEra = daysFromEra - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    day = UInt64(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    month = UInt64(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }
}

extension Array where Element == UInt8 {
  /// Appends "2026-11-21 12:26:23".
  package mutating func append(dateAndTime time: Timestamp) {
    append(time, separator: UInt8(ascii: " "))
  }

  /// Appends "2026-11-21T12:26:23.000000001Z", as ISO 8601 and RFC 3339 want it.
  package mutating func append(exactTime time: Timestamp) {
    append(time, separator: UInt8(ascii: "T"))
    append(".")
    append(decimal: UInt64(time.nanoseconds), digits: 9)
    append("Z")
  }

  private mutating func append(_ time: Timestamp, separator: UInt8) {
    let civil = CivilTime(time)
    if civil.year < 0 { append("-") }
    append(decimal: civil.year.magnitude, digits: 4)
    append("-")
    append(twoDigits: civil.month)
    append("-")
    append(twoDigits: civil.day)
    append(separator)
    append(twoDigits: civil.secondOfDay / 3600)
    append(":")
    append(twoDigits: civil.secondOfDay / 60 % 60)
    append(":")
    append(twoDigits: civil.secondOfDay % 60)
  }
}
