// A path that a peer may name: relative, without tricks, never inside the daemon's own folder.

internal import SpliceBase

/// A checked path below the root. Only the kernel decides what it refers to (`openat2`); this refuses
/// what no honest client sends, so that the error can name it.
package struct WirePath: Equatable, Sendable {
  /// The name in the root under which the daemon keeps what is not finished.
  package static let reservedName: StaticString = ".splice"
  /// The root itself.
  package static let root = WirePath(checked: [])

  package let bytes: [UInt8]

  private init(checked bytes: [UInt8]) { self.bytes = bytes }

  /// nil when `bytes` is empty, absolute, too long, or has a NUL, an empty component, `.`, `..`, a
  /// component over 255 bytes, or `.splice` in front, in any case.
  package init?(_ bytes: [UInt8]) {
    guard !bytes.isEmpty, bytes.count <= Limits.pathMax else { return nil }
    var isFirst = true
    for component in bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      let name = [UInt8](component)
      guard Self.isComponent(name) else { return nil }
      if isFirst && Self.isReserved(name) { return nil }
      isFirst = false
    }
    self.bytes = bytes
  }

  /// In any case: on some file systems `.SPLICE` is the same folder.
  private static func isReserved(_ name: [UInt8]) -> Bool {
    name.map { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") ? $0 + 32 : $0 } == reservedName
  }

  /// True for one name of a path: 1 to 255 bytes without NUL and slash, neither `.` nor `..`.
  package static func isComponent(_ name: [UInt8]) -> Bool {
    guard !name.isEmpty, name.count <= Limits.nameMax, !name.contains(0) else { return false }
    return !name.contains(UInt8(ascii: "/")) && !(name == "." || name == "..")
  }

  package var isRoot: Bool { bytes.isEmpty }

  /// The directory part; empty for a name directly in the root.
  package var parent: [UInt8] {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return [] }
    return [UInt8](bytes[..<slash])
  }

  /// The last component.
  package var name: [UInt8] {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return bytes }
    return [UInt8](bytes[(slash + 1)...])
  }
}
