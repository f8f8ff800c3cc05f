// Addresses of the command line.

import SpliceBase
import SpliceClient
import SpliceWire
import Testing

@Suite struct EndpointTests {
  @Test(arguments: [
    ("splice://host", "host", 7420, "", true),
    ("splice://host/", "host", 7420, "", true),
    ("SPLICE://Host/a", "Host", 7420, "a", false),
    ("splice://host:1/a/b", "host", 1, "a/b", false),
    ("splice://host:65535/a/", "host", 65535, "a", true),
    ("splice://127.0.0.1:80/a", "127.0.0.1", 80, "a", false),
    ("splice://[::1]/a", "::1", 7420, "a", false),
    ("splice://[::1]:99/a", "::1", 99, "a", false),
    ("splice://my_host-1.example.org./a", "my_host-1.example.org.", 7420, "a", false),
    ("splice://h/100%25?x#y", "h", 7420, "100%25?x#y", false),
    ("splice://h/a b\nc:d", "h", 7420, "a b\nc:d", false),
    ("splice://h/...", "h", 7420, "...", false),
  ])
  func acceptedAddressesHaveTheirParts(
    text: String, host: String, port: UInt16, path: String, isFolder: Bool
  ) throws {
    let endpoint = try Endpoint(Array(text.utf8))
    #expect(endpoint.host == Array(host.utf8))
    #expect(endpoint.port == port)
    #expect(endpoint.path.bytes == Array(path.utf8))
    #expect(endpoint.isFolder == isFolder)
  }

  @Test func pathBytesThatAreNotUTF8AreKept() throws {
    let endpoint = try Endpoint(Array("splice://h/".utf8) + [0xFF, 0x2F, 0x80])
    #expect(endpoint.path.bytes == [0xFF, 0x2F, 0x80])
  }

  @Test(arguments: [
    ("", EndpointError.scheme),
    ("host/a", .scheme),
    ("http://host/a", .scheme),
    ("splice:/host/a", .scheme),
    ("splice://", .hostMissing),
    ("splice:///a", .hostMissing),
    ("splice://:80/a", .hostMissing),
    ("splice://user@host/a", .hostRefused),
    ("splice://ho st/a", .hostRefused),
    ("splice://h\u{e4}/a", .hostRefused),
    ("splice://::1/a", .bracketMissing),
    ("splice://[::1/a", .bracketMissing),
    ("splice://[1.2.3.4]/a", .addressRefused),
    ("splice://[]/a", .addressRefused),
    ("splice://[::1::]/a", .addressRefused),
    ("splice://256.0.0.1/a", .addressRefused),
    ("splice://127.1/a", .addressRefused),
    ("splice://h:/a", .portRefused),
    ("splice://h:0/a", .portRefused),
    ("splice://h:65536/a", .portRefused),
    ("splice://h:-1/a", .portRefused),
    ("splice://h:+1/a", .portRefused),
    ("splice://h:99999999999999999999/a", .portRefused),
    ("splice://[::1]x/a", .portRefused),
    ("splice://h//", .pathRefused),
    ("splice://h//a", .pathRefused),
    ("splice://h/a//", .pathRefused),
    ("splice://h/a//b", .pathRefused),
    ("splice://h/.", .pathRefused),
    ("splice://h/..", .pathRefused),
    ("splice://h/../", .pathRefused),
    ("splice://h/a/../b", .pathRefused),
    ("splice://h/.splice", .pathRefused),
    ("splice://h/.splice/x", .pathRefused),
    ("splice://h/a\0b", .pathRefused),
  ])
  func refusedAddressesSayWhatIsWrong(text: String, expected: EndpointError) {
    #expect(throws: expected) { try Endpoint(Array(text.utf8)) }
  }

  @Test func overlongNamesAreRefused() {
    let longest = [UInt8](repeating: 0x61, count: 255)
    #expect(throws: Never.self) { try Endpoint(Array("splice://h/".utf8) + longest) }
    #expect(throws: EndpointError.pathRefused) {
      try Endpoint(Array("splice://h/".utf8) + longest + [0x61])
    }
    #expect(throws: EndpointError.hostRefused) {
      try Endpoint(Array("splice://".utf8) + [UInt8](repeating: 0x61, count: 254))
    }
  }

  @Test func serversAreComparedWithoutCase() throws {
    let one = try Endpoint(Array("splice://Host/a".utf8))
    #expect(one.isSameServer(as: try Endpoint(Array("splice://hOST:7420/b".utf8))))
    #expect(!one.isSameServer(as: try Endpoint(Array("splice://host:7421/a".utf8))))
    #expect(!one.isSameServer(as: try Endpoint(Array("splice://host2/a".utf8))))
  }
}
