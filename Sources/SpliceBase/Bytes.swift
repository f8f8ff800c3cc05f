// Text and integers as bytes. Embedded Swift pays 100 KB for String; paths are not text anyway.

extension Array where Element == UInt8 {
  package init(_ text: StaticString) {
    self.init(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  package mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends `value` in network order.
  package mutating func append<Value: FixedWidthInteger>(integer value: Value) {
    var shift = Value.bitWidth
    while shift > 0 {
      shift -= 8
      append(UInt8(truncatingIfNeeded: value >> Value(truncatingIfNeeded: shift)))
    }
  }

  /// Appends `value` in decimal digits.
  package mutating func append(decimal value: UInt64) {
    if value >= 10 {
      var divisor: UInt64 = 10
      while value / divisor >= 10 { divisor *= 10 }
      var rest = value
      while divisor > 0 {
        append(UInt8(ascii: "0") + UInt8(rest / divisor))
        rest %= divisor
        divisor /= 10
      }
    } else {
      append(UInt8(ascii: "0") + UInt8(value))
    }
  }

  /// Appends `bytes` as lower-case hexadecimal digits.
  package mutating func append(hexOf bytes: some Sequence<UInt8>) {
    for byte in bytes {
      append(hexDigit(byte >> 4))
      append(hexDigit(byte & 15))
    }
  }

  package func starts(with prefix: StaticString) -> Bool {
    guard count >= prefix.utf8CodeUnitCount else { return false }
    for index in 0..<prefix.utf8CodeUnitCount where self[index] != prefix.utf8Start[index] {
      return false
    }
    return true
  }

  package func ends(with suffix: StaticString) -> Bool {
    let size = suffix.utf8CodeUnitCount
    guard count >= size else { return false }
    for index in 0..<size where self[count - size + index] != suffix.utf8Start[index] { return false }
    return true
  }

  package static func == (left: [UInt8], right: StaticString) -> Bool {
    left.count == right.utf8CodeUnitCount && left.starts(with: right)
  }
}

/// The digit for a value of 0 to 15.
package func hexDigit(_ value: UInt8) -> UInt8 {
  value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}

/// Reads an unsigned decimal number that is all of `bytes`; nil for anything else or above 2^64 - 1.
package func parseDecimal(_ bytes: some Collection<UInt8>) -> UInt64? {
  if bytes.isEmpty { return nil }
  var value: UInt64 = 0
  for byte in bytes {
    guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
    if overflow || carry { return nil }
    value = sum
  }
  return value
}
