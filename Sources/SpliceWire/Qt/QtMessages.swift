// Messages of the deployed Qt programs: what docs/qt.md describes, and nothing else of QDataStream.

internal import SpliceBase

/// What a message is about; requests and their replies have the same number.
package enum QtKind: Int64, Sendable {
  case uploadHeader = 100
  case uploadPosition = 101
  case uploadTail = 103
  case downloadHeader = 200
  case downloadContent = 202
  case downloadTail = 203
}

/// What a Qt client understands as the reason of a refusal.
package enum QtStatus: Int64, Sendable {
  case ok = 0
  case writeFailed = -1
  case openFailed = -2
  case seekFailed = -3
  case exists = -4
  case timeout = -5
  case unknownData = -6
  case connectFailed = -7
  case uploadFailed = -8
  case downloadFailed = -10

  /// - Parameter otherwise: for what has no number of its own.
  package init(_ code: ErrorCode, otherwise: QtStatus) {
    switch code {
    case .writeFailed, .noSpace: self = .writeFailed
    case .openFailed, .denied, .badPath, .notFound, .isDirectory, .notDirectory: self = .openFailed
    case .seekFailed: self = .seekFailed
    case .exists: self = .exists
    case .timeout: self = .timeout
    case .unknownMessage, .malformed, .version: self = .unknownData
    case .cannotConnect, .busy: self = .connectFailed
    case .uploadFailed, .downloadFailed, .locked, .digestMismatch, .changed, .superseded, .shuttingDown, .readFailed,
      .notEmpty, .kicked:
      self = otherwise
    }
  }
}

/// A whole message of a client. Keys that it does not have are nil.
package struct QtRequest: Equatable, Sendable {
  package let id: Int64
  /// UTF-8; empty when it was no Unicode.
  package var path: [UInt8]?
  package var position: Int64?
  package var size: Int64?
  /// Hexadecimal digits, as they came.
  package var digest: [UInt8]?
  package var status: Int64?

  package init(id: Int64) { self.id = id }

  package var kind: QtKind? { QtKind(rawValue: id) }
}

/// A message of the server. Entries stand in falling order of their keys, as Qt 5 writes them.
package enum QtReply {
  /// 101, 103, 203: nothing but a status.
  case status(QtKind, QtStatus)
  /// - Parameter digest: 16 bytes that name the first `position` bytes; nil for none.
  case uploadHeader(QtStatus, position: Int64, digest: [UInt8]?)
  /// - Parameter size: bytes that are still to come.
  case downloadHeader(QtStatus, size: Int64, position: Int64)

  package func append(to output: inout [UInt8]) {
    switch self {
    case .status(let kind, let status):
      output.begin(kind, entries: 1)
      output.append(QtKey.status, status.rawValue)
    case .uploadHeader(let status, let position, let digest):
      output.begin(.uploadHeader, entries: 3)
      output.append(QtKey.status, status.rawValue)
      output.append(QtKey.position, position)
      output.append(QtKey.digest, hexOf: digest)
    case .downloadHeader(let status, let size, let position):
      output.begin(.downloadHeader, entries: 3)
      output.append(QtKey.status, status.rawValue)
      output.append(QtKey.size, size)
      output.append(QtKey.position, position)
    }
  }
}

enum QtKey {
  static let status: StaticString = "reply_status"
  static let size: StaticString = "file_size"
  static let path: StaticString = "file_prjpath"
  static let position: StaticString = "file_pos"
  static let digest: StaticString = "file_md5"
}

/// The types of QVariant that the clients use, and those that a value of theirs could as well have.
enum QtType {
  static let none: UInt32 = 0
  static let int: UInt32 = 2
  static let unsignedInt: UInt32 = 3
  static let longLong: UInt32 = 4
  static let unsignedLongLong: UInt32 = 5
  static let string: UInt32 = 10
}

/// The length of a QString that is null, which is another thing than empty.
let qtNullText: UInt32 = 0xFFFF_FFFF

extension Array where Element == UInt8 {
  fileprivate mutating func begin(_ kind: QtKind, entries: UInt32) {
    append(integer: kind.rawValue)
    append(integer: entries)
  }

  fileprivate mutating func append(_ key: StaticString, _ value: Int64) {
    append(qtText: [UInt8](key))
    append(integer: QtType.longLong)
    append(0)
    append(integer: value)
  }

  fileprivate mutating func append(_ key: StaticString, hexOf digest: [UInt8]?) {
    append(qtText: [UInt8](key))
    append(integer: QtType.string)
    append(0)
    guard let digest else { return append(integer: qtNullText) }
    var digits: [UInt8] = []
    digits.append(hexOf: digest)
    append(qtText: digits)
  }

  /// ASCII as a QString.
  private mutating func append(qtText text: [UInt8]) {
    append(integer: UInt32(2 * text.count))
    for byte in text {
      append(0)
      append(byte)
    }
  }
}
