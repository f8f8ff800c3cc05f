// What a program that embeds Splice is told when something fails: a number that stays, and a sentence.

internal import SpliceBase
package import SpliceSystem
package import SpliceWire

/// A stable number below zero. Those above -100 are the codes of the protocol with a minus in front.
///
/// The numbers are part of the C library: never reused, never renumbered. `splice.h` has the same ones, which
/// a test compares.
package struct FailureCode: RawRepresentable, Equatable, Hashable, Sendable {
  package let rawValue: Int32

  package init(rawValue: Int32) { self.rawValue = rawValue }

  package init(_ code: ErrorCode) { rawValue = -Int32(code.rawValue) }

  package static let invalidArgument = FailureCode(rawValue: -101)
  package static let newerOptions = FailureCode(rawValue: -102)
  package static let badURL = FailureCode(rawValue: -103)
  package static let badAddress = FailureCode(rawValue: -104)
  package static let wrongState = FailureCode(rawValue: -105)
  package static let cancelled = FailureCode(rawValue: -106)
  package static let unknownHost = FailureCode(rawValue: -107)
  package static let refused = FailureCode(rawValue: -108)
  package static let disconnected = FailureCode(rawValue: -109)
  package static let cannotListen = FailureCode(rawValue: -110)
  package static let folderInUse = FailureCode(rawValue: -111)
  package static let noResources = FailureCode(rawValue: -112)

  package static let ownCodes: [FailureCode] = [
    .invalidArgument, .newerOptions, .badURL, .badAddress, .wrongState, .cancelled, .unknownHost, .refused,
    .disconnected, .cannotListen, .folderInUse, .noResources,
  ]

  package var sentence: StaticString {
    switch self {
    case .invalidArgument: "an argument is missing or out of its range"
    case .newerOptions: "the options are of a newer version than the library"
    case .badURL: "not an address of the form splice://HOST[:PORT]/PATH"
    case .badAddress: "not an address to listen on, as 127.0.0.1:7420 or [::1]:7420"
    case .wrongState: "not possible in this state"
    case .cancelled: "cancelled"
    case .unknownHost: "no such host"
    case .refused: "connection refused: nobody listens there"
    case .disconnected: "the connection broke"
    case .cannotListen: "cannot listen on the address"
    case .folderInUse: "another server serves the folder"
    case .noResources: "the system has no threads, descriptors or memory left"
    default:
      if rawValue < 0, let number = UInt16(exactly: -Int64(rawValue)), let code = ErrorCode(rawValue: number) {
        code.sentence
      } else {
        rawValue == 0 ? "done" : "unknown error"
      }
    }
  }
}

package struct Failure: Error, Equatable, Sendable {
  package let code: FailureCode
  /// One sentence for a person: what failed, on what, and why.
  package let text: [UInt8]
  /// What the operating system said; nil when it was not the system.
  package let cause: Errno?

  package init(_ code: FailureCode, _ text: [UInt8], cause: Errno? = nil) {
    self.code = code
    self.text = text
    self.cause = cause
  }

  package init(_ code: FailureCode) { self.init(code, [UInt8](code.sentence)) }
}

extension SessionEnd {
  /// Nil: the client left by itself.
  package var failureCode: FailureCode? {
    switch self {
    case .closedByPeer: nil
    case .broken: .disconnected
    case .kicked: FailureCode(.kicked)
    case .idle: FailureCode(.timeout)
    case .limit: FailureCode(.busy)
    case .shutdown: FailureCode(.shuttingDown)
    case .refused(let code): FailureCode(code)
    }
  }
}

extension TransferEnd {
  /// Nil: all is well.
  package var failureCode: FailureCode? {
    switch self {
    case .completed: nil
    case .failed(let code): FailureCode(code)
    case .cut: .disconnected
    }
  }
}

extension Failure {
  package init(_ error: ServerError) {
    switch error {
    case .cannotListen(_, let errno): self.init(.cannotListen, error.sentence, cause: errno)
    case .cannotControl(let errno): self.init(.cannotListen, error.sentence, cause: errno)
    case .cannotStart(let error): self.init(.noResources, ServerError.cannotStart(error).sentence)
    }
  }

  package init(_ error: ServedFolderError, path: [UInt8]) {
    let text = error.sentence(path)
    switch error {
    case .cannotOpen(let errno):
      self.init(FailureCode(StoreError(errno, otherwise: .openFailed).code), text, cause: errno)
    case .inUse: self.init(.folderInUse, text)
    case .cannotPrepare(let error): self.init(FailureCode(error.code), text, cause: error.cause)
    }
  }
}
