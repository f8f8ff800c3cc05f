// Every error is one line on standard error: what it is about, what failed, why, what to do.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem

enum ErrorLine {
  static func write(_ error: ClientError) { write(path: error.path, error.text) }

  static func write(_ error: UsageError) { write(path: error.argument, error.text) }

  /// Not an error of a file; in the same form, because it goes to the same place.
  static func write(notice text: [UInt8]) { write(path: [], text) }

  static func write(path: [UInt8], _ text: [UInt8]) {
    StandardError.write(errorLine(path: path, text: text))
  }
}

/// Standard output, which may be a pipe that nobody reads any more.
///
/// Its failure must not stop a transfer, but must not end in status 0 either: the reader lacks lines.
final class ResultOutput {
  private(set) var hasFailed = false

  func write(_ bytes: [UInt8]) {
    if hasFailed { return }
    do throws(Errno) {
      try StandardOutput.write(bytes)
    } catch {
      hasFailed = true
      ErrorLine.write(ClientError(failed: "cannot write", path: [UInt8]("standard output"), errno: error))
    }
  }
}
