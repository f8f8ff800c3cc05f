// What a client run tells whoever shows it: progress, notices, and one result a file.

package import SpliceBase
package import SpliceSystem
package import SpliceWire

/// Why a file, or the whole run, did not succeed.
package struct ClientError: Error, Equatable {
  /// What the codes of the protocol do not tell apart.
  package enum Cause: Equatable {
    case unspecified
    case system(Errno)
    case unknownHost
    /// The connection broke, and the time for trying again is over.
    case disconnected
    case cancelled
  }

  package var code: ErrorCode
  /// The path it is about, as the user would recognise it; may be empty.
  package var path: [UInt8]
  /// One sentence for a person: what failed and why.
  package var text: [UInt8]
  /// True: the same command run again may succeed, and goes on where this one stopped.
  package var isResumable: Bool
  /// The server's advice how long to wait at least; 0 = none.
  package var retryAfterSeconds: UInt32 = 0
  package var cause: Cause

  package init(
    _ code: ErrorCode, path: [UInt8], text: [UInt8], isResumable: Bool, cause: Cause = .unspecified
  ) {
    self.code = code
    self.path = path
    self.text = text
    self.isResumable = isResumable
    self.cause = cause
  }

  /// What the server said about `path`.
  init(_ message: ErrorMessage, path: [UInt8]) {
    self.init(
      message.code, path: path, text: message.text.isEmpty ? [UInt8](message.code.sentence) : message.text,
      isResumable: message.code.isTransient)
    retryAfterSeconds = message.retryAfterSeconds
  }
}

/// What became of one file.
package struct FileResult {
  package enum Outcome: Equatable {
    case done
    /// The other side had the very file; no byte was moved.
    case alreadyThere
    case failed(ClientError)
  }

  /// The remote path; of what never came to be a transfer the path that is to blame, on either side.
  package var path: [UInt8] = []
  /// Empty for what never came to be a transfer.
  package var localPath: [UInt8] = []
  package var outcome = Outcome.done
  /// Of the whole file, in bytes.
  package var size: UInt64 = 0
  /// File bytes that went over the link, in all attempts.
  package var sent: UInt64 = 0
  /// Where the last attempt went on; 0 = from the beginning.
  package var resumedFrom: UInt64 = 0
  /// Where two prefixes parted and the common part was kept; nil when that did not happen.
  package var salvagedTo: UInt64?
  /// Names the whole file.
  package var digest = Digest.zero
  /// The receipt says that a power cut cannot take it back.
  package var isDurable = false
  package var milliseconds: UInt64 = 0
  package var attempts: UInt32 = 0

  package init(path: [UInt8]) { self.path = path }
}

/// How far a run is, for a progress display.
package struct RunProgress {
  package enum Phase: Equatable {
    case connecting
    /// Bytes on this side are being read to prove a prefix; nothing moves yet.
    case checking
    case moving
    /// The link broke; the next attempt comes in so many milliseconds.
    case waiting(milliseconds: UInt64)
  }

  package var phase = Phase.connecting
  /// The file that it is about, for display.
  package var path: [UInt8] = []
  /// Bytes of that file that are done (or checked), and in all.
  package var done: UInt64 = 0
  package var total: UInt64 = 0
  /// Files finished, and known so far.
  package var filesDone = 0
  package var filesTotal = 0

  package init() {}
}

/// Gets the events of a run, on its thread. Calls come as they happen; displays must limit their own rate.
package protocol ClientObserver: AnyObject {
  func runDidAdvance(_ progress: RunProgress)
  /// Something a person should know that is not an error of a file: a link that broke, a file passed over.
  func runDidNotice(_ text: [UInt8])
  func runDidFinish(_ result: FileResult)
}
