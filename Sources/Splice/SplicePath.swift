// Names of files, which are bytes.

/// The path of a file: bytes without NUL, in no particular encoding.
///
/// A string or a string literal stands for its UTF-8:
///
/// ```swift
/// let picture: SplicePath = "holiday/beach.jpg"
/// ```
public struct SplicePath: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public var bytes: [UInt8]

  public init(bytes: [UInt8]) { self.bytes = bytes }

  public init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

  public init(stringLiteral value: String) { self.init(value) }

  /// For people: what is not UTF-8 is replaced.
  public var description: String { String(decoding: bytes, as: UTF8.self) }
}
