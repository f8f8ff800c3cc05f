// Bodies with the wrong length or with values outside their range.

import SpliceBase
import SpliceWire
import Testing

@Suite("Messages") struct MessageTests {
  /// The fields of a vector with one replaced; `at` counts from the beginning of the body.
  private func body(_ name: String, at: Int, _ bytes: [UInt8]) -> [UInt8] {
    var body = Array(Vectors.bytes(name)[16...])
    body.replaceSubrange(at..<at + bytes.count, with: bytes)
    return body
  }

  private static func hasFields(_ name: String) -> Bool {
    !name.hasPrefix("data")
      && ![
        "ping", "ping-reply", "cancel", "remove-reply", "sessions", "kick-reply", "drain", "partials",
        "discard-reply", "reload",
      ].contains(name)
  }

  /// Any number of entries in a row.
  private func isList(_ name: String) -> Bool {
    ["list-reply", "sessions-reply", "partials-reply"].contains { name.hasPrefix($0) }
  }

  /// A frame whose length is honest but whose body ends in the middle of a field. A listing that ends
  /// between two entries is a shorter listing.
  @Test(
    "A body cut anywhere is truncated", arguments: Vectors.allFrames.map(\.name).filter(hasFields))
  func truncatedBodies(name: String) throws {
    let bytes = Vectors.bytes(name)
    let type = try #require(FrameType(rawValue: bytes[0]))
    for count in 0..<(bytes.count - 16) {
      let error = failure(
        of: stream(type, flags: FrameFlags(rawValue: bytes[1]), Array(bytes[16..<16 + count])))
      let isShorterListing =
        isList(name) && (count == 0 || count == 32 && name == "list-reply-more")
      #expect(error == (isShorterListing ? nil : .truncated(type: bytes[0])), "\(count) bytes")
    }
  }

  /// Bytes behind the last field are a newer version or a mistake; either way they are not skipped.
  @Test("A body with a byte too many is refused", arguments: Vectors.allFrames.map(\.name).filter(hasFields))
  func trailingBytes(name: String) throws {
    let bytes = Vectors.bytes(name)
    let type = try #require(FrameType(rawValue: bytes[0]))
    let error = failure(of: stream(type, flags: FrameFlags(rawValue: bytes[1]), Array(bytes[16...]) + [0]))
    #expect(error == (isList(name) ? .truncated(type: bytes[0]) : .trailing(type: bytes[0])))
  }

  /// 0 is kept for 'none of these', and every number above the last is from another version.
  @Test("Enumerations outside their range are bad values")
  func badEnumerations() throws {
    for value in UInt8.min...UInt8.max {
      let bytes = [value]
      let offer = failure(of: stream(.offer, body("offer-replace", at: 0, bytes)))
      #expect(offer == ((1...4).contains(value) ? nil : .badValue(type: 2)))
      let have = failure(of: stream(.have, body("have-partial", at: 0, bytes)))
      #expect(have == ((1...3).contains(value) ? nil : .badValue(type: 3)))
      let give = failure(of: stream(.give, body("give-proved", at: 0, bytes)))
      #expect(give == (value <= 1 ? nil : .badValue(type: 12)))
      let list = failure(of: stream(.list, flags: .reply, body("list-reply-last", at: 0, bytes)))
      #expect(list == ((1...3).contains(value) ? nil : .badValue(type: 14)))
      let stat = failure(of: stream(.stat, flags: .reply, body("stat-reply", at: 0, bytes)))
      #expect(stat == ((1...3).contains(value) ? nil : .badValue(type: 15)))
      let verify = failure(of: stream(.verify, flags: .reply, body("verify-intact", at: 0, bytes)))
      #expect(verify == ((1...3).contains(value) ? nil : .badValue(type: 17)))
    }
  }

  /// A second has 999,999,999 as its last nanosecond.
  @Test("A thousand million nanoseconds are refused in every timestamp")
  func badNanoseconds() {
    let cases: [(type: FrameType, flags: FrameFlags, name: String, at: Int)] = [
      (.offer, [], "offer-replace", 21), (.give, [], "give-proved", 21),
      (.list, .reply, "list-reply-last", 21), (.stat, .reply, "stat-reply", 21),
    ]
    for (type, flags, name, at) in cases {
      func error(_ nanoseconds: UInt32) -> WireError? {
        var bytes: [UInt8] = []
        bytes.append(integer: nanoseconds)
        return failure(of: stream(type, flags: flags, body(name, at: at, bytes)))
      }
      #expect(error(999_999_999) == nil, "\(name)")
      #expect(error(1_000_000_000) == .badValue(type: type.rawValue), "\(name)")
      #expect(error(.max) == .badValue(type: type.rawValue), "\(name)")
    }
  }

  /// Bits above the permissions would be a file type, or nothing at all.
  @Test("An offered mode has permission bits only")
  func badModes() {
    func error(_ mode: UInt32) -> WireError? {
      var bytes: [UInt8] = []
      bytes.append(integer: mode)
      return failure(of: stream(.offer, body("offer-replace", at: 1, bytes)))
    }
    #expect(error(0) == nil)
    #expect(error(0o7777) == nil)
    for bit in 12..<32 { #expect(error(1 << bit) == .badValue(type: 2), "bit \(bit)") }
  }

  /// A PROBE asks for 1 to 64 prefixes, each longer than the one before.
  @Test("PROBE refuses no prefixes, too many, zero blocks, and counts that do not rise")
  func badProbes() {
    func error(_ counts: [UInt64]) -> WireError? {
      var bytes: [UInt8] = []
      Probe(blockCounts: counts).appendBody(to: &bytes)
      return failure(of: stream(.probe, bytes))
    }
    #expect(error([1]) == nil)
    #expect(error(Array(1...64)) == nil)
    #expect(error([1, 5, .max]) == nil)
    for counts: [UInt64] in [[], [0], [0, 1], [1, 1], [2, 1], [1, 3, 2], [.max, .max], Array(1...65)] {
      #expect(error(counts) == .badValue(type: 4), "\(counts)")
    }
    #expect(
      failure(of: stream(.probe, [0xFF, 0xFF] + Array(repeating: 0, count: 100))) == .truncated(type: 4))
  }

  /// As many digests as a PROBE may ask for, and not one more.
  @Test("CHAIN takes up to 64 digests")
  func badChains() {
    func error(_ count: Int) -> WireError? {
      var bytes: [UInt8] = []
      Chain(digests: Array(repeating: digest(3), count: count)).appendBody(to: &bytes)
      return failure(of: stream(.chain, bytes))
    }
    #expect(error(0) == nil)
    #expect(error(64) == nil)
    #expect(error(65) == .badValue(type: 5))
    #expect(failure(of: stream(.chain, [0xFF, 0xFF])) == .truncated(type: 5))
  }

  /// Zero is not a version, and zero streams would be a connection without a use.
  @Test("HELLO refuses version 0 and no streams, and takes algorithms that it does not know")
  func badHellos() {
    #expect(failure(of: stream(.hello, body("hello-client", at: 0, [0, 0]))) == .badValue(type: 1))
    #expect(failure(of: stream(.hello, body("hello-client", at: 0, [0xFF, 0xFF]))) == nil)
    #expect(failure(of: stream(.hello, body("hello-client", at: 9, [0, 0]))) == .badValue(type: 1))
    #expect(failure(of: stream(.hello, body("hello-client", at: 8, [0xEE]))) == nil)
  }

  /// A client joins these names to a local folder, so none may lead out of it.
  @Test("A listing with a name that is not one component is refused")
  func badNames() {
    func error(_ name: [UInt8]) -> WireError? {
      let entry = ListEntry(
        kind: .file, mode: 0, size: 0, modified: Timestamp(seconds: 0, nanoseconds: 0), name: name)
      #expect(entry.encodedCount == 27 + name.count)
      var bytes: [UInt8] = []
      Listing(entries: [entry]).appendBody(to: &bytes)
      #expect(bytes.count == entry.encodedCount)
      return failure(of: stream(.list, flags: .reply, bytes))
    }
    let good = [
      "a", "...", "..a", " ", "a b", "a\nb", "-rf", "\u{e9}", "\\", String(repeating: "x", count: 255),
    ]
    for name in good { #expect(error(Array(name.utf8)) == nil, "\(name)") }
    #expect(error([0xFF, 0xC0, 0x80]) == nil)
    let bad = [
      "", ".", "..", "/", "a/b", "/a", "a/", "../a", "a\0", "\0", String(repeating: "x", count: 256),
    ]
    for name in bad { #expect(error(Array(name.utf8)) == .badValue(type: 14), "\(name)") }
  }

  /// Only the root has a reserved name, and the daemon lists nothing of it.
  @Test("A listing may have an entry that is named as the daemon's folder")
  func reservedNameInAFolder() throws {
    let entry = ListEntry(
      kind: .directory, mode: 0o755, size: 0, modified: Timestamp(seconds: 0, nanoseconds: 0),
      name: [UInt8](WirePath.reservedName))
    var bytes: [UInt8] = []
    Listing(entries: [entry]).appendBody(to: &bytes)
    #expect(try Listing(body: bytes) == Listing(entries: [entry]))
  }

  /// A length field is believed only as far as there are bytes.
  @Test("A byte string longer than its body is truncated")
  func longStrings() {
    for type in [FrameType.list, .stat, .remove, .verify] {
      #expect(failure(of: stream(type, [0xFF, 0xFF, 0x61])) == .truncated(type: type.rawValue))
      #expect(failure(of: stream(type, [0])) == .truncated(type: type.rawValue))
      #expect(failure(of: stream(type, [0, 0, 0x61])) == .trailing(type: type.rawValue))
    }
  }
}
