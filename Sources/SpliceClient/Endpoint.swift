// Where on which server: the splice:// addresses of the command line.

internal import SpliceBase
internal import SpliceSystem
package import SpliceWire

/// What is wrong with an address.
package enum EndpointError: Error, Equatable, Sendable {
  case scheme
  case hostMissing
  case hostRefused
  case bracketMissing
  case addressRefused
  case portRefused
  case pathRefused

  /// What is wrong and what to write instead, for a line that begins with the address.
  package var sentence: StaticString {
    switch self {
    case .scheme: "not an address of the form splice://HOST[:PORT]/PATH"
    case .hostMissing: "no host, write splice://HOST[:PORT]/PATH"
    case .hostRefused: "the host may have letters, digits, '-', '_' and '.' only"
    case .bracketMissing: "write an IPv6 address in brackets, as in splice://[::1]/PATH"
    case .addressRefused: "the host is not a valid IP address"
    case .portRefused: "the port is not a number from 1 to 65535"
    case .pathRefused:
      "the path has an empty, '.', '..' or overlong component, a NUL, over 4095 bytes, or .splice in front"
    }
  }
}

/// A server, and a path below its root, from `splice://HOST[:PORT]/PATH`.
///
/// PATH is taken byte for byte and is not percent-decoded: a file name may contain any byte, "%", "?" and "#"
/// too, and what `splice ls` shows can be pasted. One "/" at its end says that a folder is meant.
package struct Endpoint: Equatable, Sendable {
  package static let defaultPort: UInt16 = 7420

  /// A name, or an address without its brackets, as the resolver wants it.
  package let host: [UInt8]
  package let port: UInt16
  package let path: WirePath
  /// The path ended with "/", or is the root.
  package let isFolder: Bool

  /// Whether `text` is meant as an address, right or wrong, and not as the name of a local file.
  package static func hasScheme(_ text: [UInt8]) -> Bool {
    guard text.count >= scheme.utf8CodeUnitCount else { return false }
    return lowercased(text[..<scheme.utf8CodeUnitCount]) == scheme
  }

  package init(_ text: [UInt8]) throws(EndpointError) {
    guard Self.hasScheme(text) else { throw .scheme }
    let rest = text[Self.scheme.utf8CodeUnitCount...]
    let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
    (host, port) = try Self.parseAuthority(rest[..<slash])

    var path = [UInt8](rest[slash...].dropFirst())
    isFolder = path.isEmpty || path.last == UInt8(ascii: "/")
    if path.last == UInt8(ascii: "/") {
      path.removeLast()
      // "splice://host//" names an empty component, not the root.
      if path.isEmpty { throw .pathRefused }
    }
    if path.isEmpty {
      self.path = .root
    } else {
      guard let checked = WirePath(path) else { throw .pathRefused }
      self.path = checked
    }
  }

  package var server: ServerPlace { .network(host: host, port: port) }

  /// Whether one connection serves both.
  package func isSameServer(as other: Endpoint) -> Bool {
    port == other.port && lowercased(host[...]) == lowercased(other.host[...])
  }

  private static let scheme: StaticString = "splice://"

  private static func parseAuthority(
    _ authority: ArraySlice<UInt8>
  ) throws(EndpointError) -> (host: [UInt8], port: UInt16) {
    if authority.isEmpty { throw .hostMissing }
    if authority.first == UInt8(ascii: "[") {
      guard let bracket = authority.firstIndex(of: UInt8(ascii: "]")) else { throw .bracketMissing }
      let port = try parsePort(authority[(bracket + 1)...])
      let host = [UInt8](authority[(authority.startIndex + 1)..<bracket])
      guard isAddress([UInt8](authority[...bracket])) else { throw .addressRefused }
      return (host, port)
    }

    let colon = authority.firstIndex(of: UInt8(ascii: ":")) ?? authority.endIndex
    let host = [UInt8](authority[..<colon])
    let afterColon = authority[colon...].dropFirst()
    if afterColon.contains(UInt8(ascii: ":")) { throw .bracketMissing }
    if host.isEmpty { throw .hostMissing }
    guard host.count <= hostCountMax, host.allSatisfy(isNameByte) else { throw .hostRefused }
    // The resolver would read "127.1" or "010.0.0.1" in ways that nobody means.
    if host.allSatisfy(isNumberOrDot), !isAddress(host) { throw .addressRefused }
    return (host, try parsePort(authority[colon...]))
  }

  /// `text` is empty, or a colon and digits.
  private static func parsePort(_ text: ArraySlice<UInt8>) throws(EndpointError) -> UInt16 {
    if text.isEmpty { return defaultPort }
    guard text.first == UInt8(ascii: ":"), let number = parseDecimal(text.dropFirst()),
      let port = UInt16(exactly: number), port > 0
    else { throw .portRefused }
    return port
  }

  private static func isAddress(_ host: [UInt8]) -> Bool {
    SocketAddress.parse(host + [UInt8](":1")) != nil
  }

  /// A name of the DNS, written out, has at most 253 bytes.
  private static let hostCountMax = 253

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private static func isNumberOrDot(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".") || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
  }
}

/// ASCII letters only, as in schemes and host names.
private func lowercased(_ text: ArraySlice<UInt8>) -> [UInt8] {
  text.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 + 32 : $0 }
}
