// What can go wrong in the store, as the peer will be told and as the log will say.

internal import SpliceBase
package import SpliceSystem
package import SpliceWire

package struct StoreError: Error, Equatable {
  package let code: ErrorCode
  /// What the kernel said; nil when it was not the kernel.
  package let cause: Errno?

  package init(_ code: ErrorCode, _ cause: Errno? = nil) {
    self.code = code
    self.cause = cause
  }

  /// - Parameter otherwise: what failed, for causes that have no code of their own.
  package init(_ cause: Errno, otherwise: ErrorCode) {
    switch cause {
    case .noSpace, .quota, .fileTooLarge: code = .noSpace
    case .readOnly, .accessDenied, .permission: code = .denied
    case .noEntry: code = .notFound
    case .exists: code = .exists
    case .isDirectory: code = .isDirectory
    case .notDirectory: code = .notDirectory
    case .notEmpty: code = .notEmpty
    // openat2 answers these when a path leaves the root or a link turns in circles.
    case .crossDevice, .loop, .nameTooLong: code = .badPath
    case .stale: code = .changed
    case .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory: code = .busy
    default: code = otherwise
    }
    self.cause = cause
  }

  /// "write failed: input/output error" and the like, for a person.
  package var sentence: [UInt8] {
    var text = [UInt8](code.sentence)
    if let cause, !isSaidByCode(cause) {
      text.append(": ")
      text.append(cause.name)
    }
    return text
  }

  /// "no such file: no such file or directory" would say the same twice.
  private func isSaidByCode(_ cause: Errno) -> Bool {
    switch (code, cause) {
    case (.notFound, .noEntry), (.exists, .exists), (.isDirectory, .isDirectory),
      (.notDirectory, .notDirectory), (.notEmpty, .notEmpty), (.noSpace, .noSpace):
      true
    default: false
    }
  }
}
