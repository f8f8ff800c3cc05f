// The written form of addresses, in both directions.

import SpliceSystem
import TestFiles
import Testing

@Suite struct SocketAddressTests {
  @Test(arguments: [
    ("127.0.0.1:7420", "127.0.0.1:7420", [127, 0, 0, 1] as [UInt8], 7420 as UInt16),
    ("0.0.0.0:0", "0.0.0.0:0", [0, 0, 0, 0], 0),
    ("255.254.253.252:65535", "255.254.253.252:65535", [255, 254, 253, 252], 65535),
    ("10.0.0.1:00080", "10.0.0.1:80", [10, 0, 0, 1], 80),
    ("[::1]:7420", "[::1]:7420", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 7420),
    ("[::]:9", "[::]:9", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 9),
    (
      "[2001:DB8:0:0:1:2:3:4]:1", "[2001:db8::1:2:3:4]:1",
      [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 1, 0, 2, 0, 3, 0, 4], 1
    ),
    (
      "[::ffff:1.2.3.4]:5", "[::ffff:1.2.3.4]:5",
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4], 5
    ),
  ])
  func wellFormed(text: String, canonical: String, raw: [UInt8], port: UInt16) throws {
    let address = try #require(SocketAddress.parse(bytes(text)))
    #expect(address.bytes == raw)
    #expect(address.port == port)
    var formatted = bytes("to ")
    address.format(into: &formatted)
    #expect(formatted == bytes("to " + canonical))
    #expect(SocketAddress(bytes: raw, port: port) == address)
  }

  @Test(arguments: [
    "", ":", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
    "127.0.0.1:1a", "127.0.0.1:000080", "127.0.0.1 :80", "127.1:80", "256.0.0.1:80", "1.2.3.4.5:80",
    "::1:80", "[::1]", "[::1]80", "[::1:80", "::1]:80", "[]:80", "[127.0.0.1]:80", "[::1%]:80",
    "[::1%0]:80", "[::1%4294967296]:80", "[::1%no-such-interface]:80", "localhost:80", "[::g]:80",
    "127.0.0.1\u{0}:80",
  ])
  func malformed(text: String) { #expect(SocketAddress.parse(bytes(text)) == nil) }

  @Test func scopeIsAnInterfaceByNameOrNumber() throws {
    let byName = try #require(SocketAddress.parse(bytes("[fe80::1%lo]:7")))
    let byNumber = try #require(SocketAddress.parse(bytes("[fe80::1%\(byName.scope)]:7")))
    #expect(byName.scope > 0)
    #expect(byName == byNumber)
    var text: [UInt8] = []
    byName.format(into: &text)
    #expect(text == bytes("[fe80::1%\(byName.scope)]:7"))
  }

  @Test(arguments: [0, 1, 3, 5, 15, 17])
  func byteCountsOtherThan4And16AreNoAddress(count: Int) {
    #expect(SocketAddress(bytes: [UInt8](repeating: 1, count: count), port: 1) == nil)
  }

  @Test(arguments: [
    ("127.0.0.1:1", true), ("127.9.9.9:1", true), ("[::1]:1", true), ("128.0.0.1:1", false),
    ("0.0.0.0:1", false), ("[::]:1", false), ("[::2]:1", false),
  ])
  func loopback(text: String, expected: Bool) throws {
    #expect(try #require(SocketAddress.parse(bytes(text))).isLoopback == expected)
  }
}
