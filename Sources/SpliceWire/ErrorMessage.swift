// ERROR: why something was refused, with a number for programs and a sentence for people.

package import SpliceBase

/// Numbers are part of the protocol: never reused, never renumbered.
package enum ErrorCode: UInt16, Sendable, CaseIterable {
  case writeFailed = 1
  case openFailed = 2
  case seekFailed = 3
  case exists = 4
  case timeout = 5
  case unknownMessage = 6
  case cannotConnect = 7
  case uploadFailed = 8
  case downloadFailed = 9
  case noSpace = 10
  case locked = 11
  case busy = 12
  case denied = 13
  case badPath = 14
  case digestMismatch = 15
  case version = 16
  case notFound = 17
  case changed = 18
  case isDirectory = 19
  case notDirectory = 20
  case malformed = 21
  case superseded = 22
  case shuttingDown = 23
  case readFailed = 24
  case notEmpty = 25
  case kicked = 26

  /// True when the same request may succeed later without anybody changing it.
  package var isTransient: Bool {
    switch self {
    case .timeout, .cannotConnect, .locked, .busy, .shuttingDown, .changed, .malformed, .noSpace,
      .kicked:
      true
    default: false
    }
  }

  /// For programs that count errors.
  package var name: StaticString {
    switch self {
    case .writeFailed: "write_failed"
    case .openFailed: "open_failed"
    case .seekFailed: "seek_failed"
    case .exists: "exists"
    case .timeout: "timeout"
    case .unknownMessage: "unknown_message"
    case .cannotConnect: "cannot_connect"
    case .uploadFailed: "upload_failed"
    case .downloadFailed: "download_failed"
    case .noSpace: "no_space"
    case .locked: "locked"
    case .busy: "busy"
    case .denied: "denied"
    case .badPath: "bad_path"
    case .digestMismatch: "digest_mismatch"
    case .version: "version"
    case .notFound: "not_found"
    case .changed: "changed"
    case .isDirectory: "is_directory"
    case .notDirectory: "not_directory"
    case .malformed: "malformed"
    case .superseded: "superseded"
    case .shuttingDown: "shutting_down"
    case .readFailed: "read_failed"
    case .notEmpty: "not_empty"
    case .kicked: "kicked"
    }
  }

  package var sentence: StaticString {
    switch self {
    case .writeFailed: "write failed"
    case .openFailed: "open failed"
    case .seekFailed: "seek failed"
    case .exists: "file exists"
    case .timeout: "timed out"
    case .unknownMessage: "unknown message"
    case .cannotConnect: "cannot connect"
    case .uploadFailed: "upload failed"
    case .downloadFailed: "download failed"
    case .noSpace: "no space left"
    case .locked: "another client is writing it"
    case .busy: "the server is busy"
    case .denied: "denied"
    case .badPath: "bad path"
    case .digestMismatch: "digest mismatch"
    case .version: "incompatible version"
    case .notFound: "no such file"
    case .changed: "the file changed"
    case .isDirectory: "it is a directory"
    case .notDirectory: "not a directory"
    case .malformed: "malformed message"
    case .superseded: "a newer run of the same transfer took over"
    case .shuttingDown: "the server is shutting down"
    case .readFailed: "read failed"
    case .notEmpty: "directory not empty"
    case .kicked: "disconnected by the administrator"
    }
  }
}

package struct ErrorMessage: Equatable, Sendable {
  package var code: ErrorCode
  /// When to try again, in seconds; 0 = no advice.
  package var retryAfterSeconds: UInt32 = 0
  /// LOCKED: how many bytes the holder has sent.
  package var holderReceived: UInt64 = 0
  /// LOCKED: for how long the holder has sent nothing, in milliseconds.
  package var holderQuietMilliseconds: UInt64 = 0
  /// The path that it is about; may be empty.
  package var path: [UInt8]
  /// What went wrong, for a person. UTF-8, no line breaks.
  package var text: [UInt8]

  package init(_ code: ErrorCode, path: [UInt8] = [], text: [UInt8] = []) {
    self.code = code
    self.path = path
    self.text = text
  }

  package init(_ code: ErrorCode, path: [UInt8] = [], _ text: StaticString) {
    self.init(code, path: path, text: [UInt8](text))
  }
}

extension ErrorMessage: Message {
  package static let type = FrameType.error

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: code.rawValue)
    output.append(integer: retryAfterSeconds)
    output.append(integer: holderReceived)
    output.append(integer: holderQuietMilliseconds)
    // A refusal repeats the path that it was sent, however long: it still has to fit its frame.
    output.append(lengthPrefixed: Array(path.prefix(Limits.pathMax)))
    output.append(lengthPrefixed: Array(text.prefix(Limits.errorTextMax)))
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      let number = try reader.integer(UInt16.self)
      // A number from a newer server still is an error; which one matters less than that.
      code = ErrorCode(rawValue: number) ?? .uploadFailed
      retryAfterSeconds = try reader.integer()
      holderReceived = try reader.integer()
      holderQuietMilliseconds = try reader.integer()
      path = try reader.lengthPrefixed()
      text = try reader.lengthPrefixed()
    } catch { throw .truncated }
  }
}
