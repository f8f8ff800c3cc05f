// Where a socket listens or connects: an IPv4 or IPv6 address with its port, and its written form.

internal import CPlatform

/// An Internet address and a TCP port.
package struct SocketAddress: Equatable, Sendable {
  package enum Version: UInt8, Sendable {
    case four = 4
    case six = 6
  }

  package private(set) var version: Version
  /// The address as one big number; an IPv4 address is the low 32 bits of `low`.
  private var high: UInt64
  private var low: UInt64
  /// The interface of a link-local IPv6 address; 0 elsewhere.
  package private(set) var scope: UInt32
  package var port: UInt16

  /// An address from its 4 or 16 bytes in network order; nil for any other count.
  package init?(bytes: [UInt8], port: UInt16, scope: UInt32 = 0) {
    switch bytes.count {
    case 4: version = .four
    case 16: version = .six
    default: return nil
    }
    high = 0
    low = 0
    for byte in bytes {
      high = high << 8 | low >> 56
      low = low << 8 | UInt64(byte)
    }
    self.scope = version == .six ? scope : 0
    self.port = port
  }

  init?(_ raw: csplice_address) {
    guard let version = Version(rawValue: raw.version) else { return nil }
    self.version = version
    high = raw.high
    low = raw.low
    scope = raw.scope
    port = raw.port
  }

  var shimAddress: csplice_address {
    csplice_address(high: high, low: low, scope: scope, port: port, version: version.rawValue)
  }

  /// Where a server listens when nobody says: the IPv4 loopback address, port 7420.
  package static let usual = SocketAddress(four: 127 << 24 | 1, port: 7420)

  private init(four: UInt64, port: UInt16) {
    version = .four
    high = 0
    low = four
    scope = 0
    self.port = port
  }

  /// The 4 or 16 bytes in network order.
  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(16)
    if version == .six {
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: high >> UInt64(shift)))
      }
    }
    for shift in stride(from: version == .six ? 56 : 24, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: low >> UInt64(shift)))
    }
    return bytes
  }

  /// Whether only this machine can reach it: 127.0.0.0/8 or ::1.
  package var isLoopback: Bool {
    switch version {
    case .four: low >> 24 == 127
    case .six: high == 0 && low == 1
    }
  }

  /// Reads "127.0.0.1:7420", "[::1]:7420" or "[fe80::1%eth0]:7420"; nil for anything else, names too.
  /// The corresponding C function is `inet_pton(3)`.
  package static func parse(_ text: [UInt8]) -> SocketAddress? {
    guard let colon = text.lastIndex(of: UInt8(ascii: ":")), colon > 0,
      let port = parsePort(text[(colon + 1)...])
    else { return nil }
    var host = text[..<colon]
    var version: Int32 = 4
    if host.first == UInt8(ascii: "[") {
      guard host.count > 2, host.last == UInt8(ascii: "]") else { return nil }
      host = host.dropFirst().dropLast()
      version = 6
    }
    let bytes = Array(host)
    var raw = csplice_address()
    if csplice_address_parse(bytes, bytes.count, version, &raw) < 0 { return nil }
    raw.port = port
    return SocketAddress(raw)
  }

  /// Appends the form that `parse` reads. The corresponding C function is `inet_ntop(3)`.
  package func format(into text: inout [UInt8]) {
    if version == .six { text.append(UInt8(ascii: "[")) }
    var raw = shimAddress
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 80) { buffer in
      let count = csplice_address_format(&raw, buffer.baseAddress, buffer.count)
      for index in 0..<max(0, Int(count)) { text.append(buffer[index]) }
    }
    if version == .six { text.append(UInt8(ascii: "]")) }
    text.append(UInt8(ascii: ":"))
    var divisor: UInt16 = 10_000
    while divisor > 1, port < divisor { divisor /= 10 }
    while divisor > 0 {
      text.append(UInt8(ascii: "0") + UInt8(port / divisor % 10))
      divisor /= 10
    }
  }

  private static func parsePort(_ digits: ArraySlice<UInt8>) -> UInt16? {
    if digits.isEmpty || digits.count > 5 { return nil }
    var value: UInt32 = 0
    for digit in digits {
      if digit < UInt8(ascii: "0") || digit > UInt8(ascii: "9") { return nil }
      value = value * 10 + UInt32(digit - UInt8(ascii: "0"))
    }
    return UInt16(exactly: value)
  }
}
