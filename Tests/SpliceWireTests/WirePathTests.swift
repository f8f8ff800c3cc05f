// Which paths a peer may name.

import SpliceBase
import SpliceWire
import Testing

@Suite("WirePath") struct WirePathTests {
  private static let name255 = String(repeating: "n", count: 255)
  /// Fifteen components of 255 bytes and one of 254: 4,094 with the slashes.
  private static let path4094 =
    Array(repeating: name255, count: 15).joined(separator: "/") + "/" + name255.dropLast()

  static let hostile: [String] = [
    // Nothing at all, and the root by other names.
    "", "/", "//", "///", ".", "./", "/.", "./.", "././.",
    // Absolute.
    "/a", "/a/b", "//a", "/etc/passwd", "/.splice", "/..", "/../a",
    // Upwards.
    "..", "../", "/../", "../a", "../../a", "a/..", "a/../", "a/../b", "a/../../b", "a/b/..", "a/b/../..",
    "../.splice", "a/../.splice", "x/../../etc/passwd", "../\u{e9}",
    // The folder itself.
    "./a", "a/.", "a/./", "a/./b", "a/b/.", "./..", "./.splice", "./.splice/x", ".//a",
    // Empty components.
    "a/", "a//b", "a//", "//a//b", "a/b/", "a/b//c", "a///b",
    // NUL, which ends a path for the kernel.
    "\0", "a\0", "\0a", "a\0b", "a/\0", "\0/a", "a/b\0/c", "..\0", ".splice\0", "a\0/../b",
    // The daemon's own folder.
    ".splice", ".splice/", ".splice/a", ".splice/stage/x", ".splice/..", ".splice/../a", ".splice//a",
    ".splice/.",
    // The same folder where names are compared without case.
    ".Splice", ".SPLICE/a",
    // Too long.
    name255 + "n", "a/" + name255 + "n", name255 + "n/a", "a/" + name255 + "n/b",
    path4094 + "/a", path4094 + "nn", String(repeating: "a/", count: 2048) + "a",
    String(repeating: "a/", count: 2047) + "ab",
  ]

  static let good: [String] = [
    "a", "a/b", "a/b/c/d/e/f/g", "a.txt", ".hidden", "...", "..a", "a..", "a..b", ". ", " ", " a", "a b/c d",
    "a\nb", "a\tb", "a\\b", "a\\..\\b", "-rf", "~", "~root", "*", "%2e%2e", "%2f", "C:", "C:\\a", "a:b",
    "\u{e9}t\u{e9}",
    "\u{2026}", "\u{ff0f}", ".splice2", ".splic", ".spliceX/a", "splice", "a/.splice", "a/.splice/b",
    "a/b/.splice", " .splice", ".splice ", ".splice.", name255, name255 + "/" + name255,
    path4094, path4094 + "n", String(repeating: "a/", count: 2047) + "a",
  ]

  /// Each of them is refused whole; nothing is normalised.
  @Test("Hostile paths are refused", arguments: hostile)
  func hostilePathsAreRefused(path: String) {
    #expect(WirePath(Array(path.utf8)) == nil)
  }

  /// A path that is taken is taken as it is, byte by byte.
  @Test("Good paths are taken unchanged", arguments: good)
  func goodPathsAreTaken(path: String) throws {
    let bytes = Array(path.utf8)
    let checked = try #require(WirePath(bytes))
    #expect(checked.bytes == bytes)
    #expect(!checked.isRoot)
    let rejoined = checked.parent.isEmpty ? checked.name : checked.parent + [UInt8(ascii: "/")] + checked.name
    #expect(rejoined == bytes)
    #expect(!checked.name.contains(UInt8(ascii: "/")))
  }

  /// The tables are as large as they claim, and the lengths in them are the ones meant.
  @Test("The tables reach both sides of every length limit")
  func tablesReachTheLimits() {
    #expect(Self.hostile.count >= 60 && Self.good.count >= 20)
    let goodCounts = Self.good.map(\.utf8.count)
    #expect(goodCounts.max() == 4095 && goodCounts.contains(255))
    #expect(Self.hostile.contains { $0.utf8.count == 256 } && Self.hostile.contains { $0.utf8.count == 4096 })
  }

  /// Names are bytes; what they mean to people is not the daemon's business.
  @Test("Bytes that are not UTF-8 are taken, alone and in components")
  func bytesThatAreNotText() {
    for byte in UInt8(1)...255 where byte != UInt8(ascii: "/") && byte != UInt8(ascii: ".") {
      #expect(WirePath([byte])?.bytes == [byte])
      #expect(WirePath([0x61, 0x2F, byte, byte])?.name == [byte, byte])
    }
    #expect(WirePath([0xC0, 0xAE, 0xC0, 0xAE, 0x2F, 0x61]) != nil, "an overlong .. is just a name")
    #expect(WirePath([0xFF, 0x2F, 0x2E, 0x2E]) == nil)
  }

  /// All paths of up to five characters out of three, against the rule in its plainest form.
  @Test("All short paths of dots, slashes and a letter are judged by the rule")
  func allShortPaths() {
    let letters: [Character] = [".", "/", "a"]
    var texts = [""]
    for _ in 0..<7 {
      for text in texts {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let isGood = parts.allSatisfy { $0 != "" && $0 != "." && $0 != ".." }
        if (WirePath(Array(text.utf8)) != nil) != isGood { Issue.record("\(text)") }
      }
      texts = texts.flatMap { text in letters.map { text + String($0) } }
    }
  }

  /// The parts are cut at the last slash.
  @Test("Parent and name are the parts around the last slash")
  func parts() throws {
    let path = try #require(WirePath(Array("a/b/c".utf8)))
    #expect(path.parent == Array("a/b".utf8) && path.name == Array("c".utf8))
    let name = try #require(WirePath(Array("c".utf8)))
    #expect(name.parent.isEmpty && name.name == Array("c".utf8))
    #expect(WirePath.root.isRoot && WirePath.root.bytes.isEmpty)
    #expect(WirePath.root.parent.isEmpty && WirePath.root.name.isEmpty)
  }
}
