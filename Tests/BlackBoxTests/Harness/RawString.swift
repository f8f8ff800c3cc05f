// SPDX-License-Identifier: Apache-2.0
// Text as bytes: paths and arguments that need not be valid UTF-8.
// Used by every other file of the harness and by the tests.

import Glibc

/// A path or an argument, as the kernel sees it: any bytes without a NUL.
struct RawString: Hashable, Sendable, CustomStringConvertible {
  var bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }
  /// The bytes up to the closing NUL.
  init(terminated start: UnsafePointer<CChar>) {
    bytes = UnsafeRawBufferPointer(start: start, count: strlen(start)).map { $0 }
  }
  init(_ text: String) { bytes = Array(text.utf8) }

  var description: String { String(decoding: bytes, as: UTF8.self) }

  static func + (left: RawString, right: RawString) -> RawString {
    RawString(bytes: left.bytes + right.bytes)
  }

  /// Joins two path components.
  static func / (left: RawString, right: RawString) -> RawString { left + "/" + right }

  func hasSuffix(_ suffix: RawString) -> Bool { bytes.suffix(suffix.bytes.count) == suffix.bytes[...] }

  /// Calls `body` with the bytes and a closing NUL.
  func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
    let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
    return try terminated.withUnsafeBufferPointer { try body($0.baseAddress!) }
  }
}

extension RawString: ExpressibleByStringInterpolation {
  /// Interpolation that keeps the bytes of an interpolated `RawString` as they are.
  struct StringInterpolation: StringInterpolationProtocol {
    var bytes: [UInt8] = []
    init(literalCapacity: Int, interpolationCount: Int) {}
    mutating func appendLiteral(_ literal: String) { bytes += Array(literal.utf8) }
    mutating func appendInterpolation(_ value: RawString) { bytes += value.bytes }
    mutating func appendInterpolation(_ value: some CustomStringConvertible) {
      bytes += Array(value.description.utf8)
    }
  }

  init(stringLiteral text: String) { self.init(text) }
  init(stringInterpolation: StringInterpolation) { bytes = stringInterpolation.bytes }
}
