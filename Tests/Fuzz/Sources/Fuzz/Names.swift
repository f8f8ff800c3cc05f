// Paths that a peer may name, and addresses that a user may type.

internal import SpliceBase
internal import SpliceClient
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceWire

extension Target {
  static let paths = Target(
    name: "paths",
    seeds: {
      [
        "a", "a/b", "../a", "a/../b", "/a", "a//b", "a/", ".", "..", ".splice/x", ".SPLICE", "a\0b", "",
        "a\n\u{1B}[2J",
      ]
      .map { [UInt8]($0.utf8) } + [[UInt8](repeating: 0x61, count: 300), [0xFF, 0xFE, 0x2F, 0xC3]]
    }
  ) { input in
    let path = WirePath(input)
    check((path != nil) == isAcceptable(input), "the path is \(path == nil ? "refused" : "taken")")
    if let path {
      let parent = path.parent
      check(WirePath.isComponent(path.name), "the last component is none")
      check((parent.isEmpty ? [] : parent + [0x2F]) + path.name == input, "parent and name are not the path")
      check(Store.stageID(path).allSatisfy { isHex($0) }, "a stage's name is not a plain one")
    }
    checkVisible(input)
    let joined = LocalNames.join([UInt8]("/home"), input)
    let absolute = LocalNames.absolute(joined, from: [UInt8]("/"))
    check(absolute.first == 0x2F, "an absolute path begins with a slash")
    check(LocalNames.absolute(absolute, from: [UInt8]("/x")) == absolute, "what is absolute stays as it is")
    check(!LocalNames.lastComponent(input).contains(0x2F), "a last component has no slash")
  }

  /// The rule of docs/protocol.md, written a second time.
  private static func isAcceptable(_ path: [UInt8]) -> Bool {
    if path.isEmpty || path.count > 4095 || path.contains(0) { return false }
    var names: [[UInt8]] = [[]]
    for byte in path {
      if byte == 0x2F { names.append([]) } else { names[names.count - 1].append(byte) }
    }
    let first = String(decoding: names[0], as: UTF8.self)
    if names[0].count == 7, first.lowercased() == ".splice" { return false }
    return names.allSatisfy { !$0.isEmpty && $0.count <= 255 && $0 != [0x2E] && $0 != [0x2E, 0x2E] }
  }

  private static func isHex(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
  }

  /// Nothing in a name moves a cursor, and nothing in it ends a line of JSON.
  private static func checkVisible(_ name: [UInt8]) {
    var shown: [UInt8] = []
    shown.append(visible: name)
    check(!shown.contains { $0 < 0x20 || $0 == 0x7F }, "a control byte is shown")
    var object = JSONObject()
    object.add("path", text: name)
    check(!object.line.dropLast().contains { $0 < 0x20 }, "a control byte is in a line of JSON")
  }

  static let addresses = Target(
    name: "addresses",
    seeds: {
      [
        "splice://host/a", "splice://h:1/", "splice://[::1]:65535/a/b", "splice://127.0.0.1",
        "splice://[fe80::1%2]/x",
        "SPLICE://a.b-c_d:0/x", "splice://1.2.3/", "splice://h//", "splice://h/a%2F?#", "127.0.0.1:80",
        "[::]:7420",
        "64MiB", "10TB", "3600s", "7d",
      ].map { [UInt8]($0.utf8) }
    }
  ) { input in
    if let endpoint = try? Endpoint(input) {
      check(Endpoint.hasScheme(input), "an address without its scheme")
      check(!endpoint.host.isEmpty && endpoint.port > 0, "no host or no port")
      var text = [UInt8]("splice://")
      text += endpoint.host.contains(0x3A) ? [0x5B] + endpoint.host + [0x5D] : endpoint.host
      text += [UInt8](":\(endpoint.port)/".utf8) + endpoint.path.bytes
      if endpoint.isFolder, !endpoint.path.isRoot { text.append(0x2F) }
      guard let again = try? Endpoint(text) else { broken("what was taken is refused when written out") }
      check(again == endpoint, "an address written out is another one")
      check(endpoint.path.isRoot || WirePath(endpoint.path.bytes) != nil, "a path that no server takes")
    }
    if let address = SocketAddress.parse(input) {
      var text: [UInt8] = []
      address.format(into: &text)
      check(SocketAddress.parse(text) == address, "a socket address written out is another one")
    }
    if let size = parseSize(input) { check(size <= 1 << 63, "a size of \(size)") }
    if let seconds = parseDuration(input) { check(seconds <= 3_155_760_000, "\(seconds) seconds") }
  }
}
