// Why something failed.

internal import SpliceBase
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceWire

/// Why a server or a transfer failed: a code for programs, a sentence for people.
///
/// ```swift
/// do {
///   try await client.put("holiday.jpg").finish()
/// } catch where error.code == .refused {
///   print("is the server running? \(error)")
/// }
/// ```
public struct SpliceError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What went wrong. The numbers are those of `splice.h`, and keep their meaning for ever.
  public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int32

    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// The meaning of the code, in English.
    public var description: String { FailureCode(rawValue: rawValue).sentence.description }
  }

  public let code: Code
  /// `errno` of the system call that failed; nil where it was none.
  public let systemError: Int32?
  /// One sentence: what failed, on what, and why.
  public let description: String

  init(_ failure: Failure) {
    code = Code(rawValue: failure.code.rawValue)
    systemError = failure.cause?.rawValue
    description = String(decoding: failure.text, as: UTF8.self)
  }
}

extension SpliceError.Code {
  private init(_ code: ErrorCode) { self.init(rawValue: FailureCode(code).rawValue) }
  private init(_ code: FailureCode) { self.init(rawValue: code.rawValue) }

  public static let writeFailed = Self(.writeFailed)
  public static let openFailed = Self(.openFailed)
  public static let readFailed = Self(.readFailed)
  /// There is a file of that name, and it was not to be replaced.
  public static let exists = Self(.exists)
  public static let timeout = Self(.timeout)
  /// See `systemError`.
  public static let cannotConnect = Self(.cannotConnect)
  public static let noSpace = Self(.noSpace)
  /// Another client is writing the file.
  public static let locked = Self(.locked)
  /// The server has as many clients or transfers as it is allowed.
  public static let busy = Self(.busy)
  public static let denied = Self(.denied)
  public static let badPath = Self(.badPath)
  /// The file differs from what was read or sent before.
  public static let digestMismatch = Self(.digestMismatch)
  public static let version = Self(.version)
  public static let notFound = Self(.notFound)
  /// The file changed while it was transferred.
  public static let changed = Self(.changed)
  public static let isDirectory = Self(.isDirectory)
  public static let notDirectory = Self(.notDirectory)
  public static let malformed = Self(.malformed)
  public static let superseded = Self(.superseded)
  public static let shuttingDown = Self(.shuttingDown)
  /// Disconnected by whoever runs the server.
  public static let kicked = Self(.kicked)
  /// An argument is missing or out of its range.
  public static let invalidArgument = Self(.invalidArgument)
  public static let badURL = Self(.badURL)
  /// Not an address to listen on.
  public static let badAddress = Self(.badAddress)
  /// Not possible now.
  public static let wrongState = Self(.wrongState)
  public static let cancelled = Self(.cancelled)
  public static let unknownHost = Self(.unknownHost)
  /// Nobody listens at the server's address.
  public static let refused = Self(.refused)
  /// The connection broke, and the time for trying again is over.
  public static let disconnected = Self(.disconnected)
  public static let cannotListen = Self(.cannotListen)
  /// Another server serves the folder.
  public static let folderInUse = Self(.folderInUse)
  /// No threads, descriptors or memory.
  public static let noResources = Self(.noResources)
}
