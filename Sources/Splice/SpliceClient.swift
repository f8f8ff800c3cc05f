// The client side: which server, and how to reach it.

internal import SpliceBase
internal import SpliceClient
internal import SpliceEngine
internal import SpliceWire

/// Puts files on a server, and gets them from there.
///
/// A transfer that is cut goes on at the last byte that both ends can prove by digest: by itself while the
/// link breaks for less than `patience`, and when the same transfer is made again later, by this program or
/// another.
///
/// ```swift
/// let client = try SpliceClient("splice://archive.example/pictures/")
/// for try await event in client.put("holiday.jpg") {
///   if case .progress(let progress) = event { print("\(progress.done) of \(progress.total) bytes") }
/// }
/// // The server has it, compared, on stable storage.
/// ```
public struct SpliceClient: Sendable {
  /// A file, and its name on the server.
  public struct File: Hashable, Sendable {
    /// On this machine. For a `get`, a folder takes the file under its own name.
    public var local: SplicePath
    /// Below the path of the client's address. Nil for a `put`: the last name of `local`.
    public var remote: SplicePath?

    public init(_ local: SplicePath, remote: SplicePath? = nil) {
      self.local = local
      self.remote = remote
    }
  }

  /// What a `put` does where the server has a file of that name.
  public enum ExistingFile: Sendable {
    case replace
    /// Leave it, and call that success.
    case keep
    /// Fail with ``SpliceError/Code/exists``.
    case refuse
  }

  /// `splice://HOST[:PORT]/FOLDER/`, as it was given.
  public let address: String
  /// How long a transfer goes on trying without any progress, in whole seconds. Zero: one attempt.
  public var patience: Duration = .seconds(600)
  /// Bytes a second, in and out, of each transfer. 0: no limit; what is less than 1,024 counts as 1,024.
  public var rate: UInt64 = 0
  /// A folder for digests of local files, so that what was sent once need not be read again. Nil: none.
  public var cache: SplicePath?

  /// - Parameter address: `splice://HOST[:PORT]/FOLDER/`, byte for byte, without percent-encoding. The port
  ///   is 7420 when none is given.
  /// - Throws: ``SpliceError/Code/badURL``. Nothing is tried yet.
  public init(_ address: String) throws(SpliceError) {
    let endpoint: Endpoint
    do throws(EndpointError) { endpoint = try Endpoint(Array(address.utf8)) } catch {
      throw SpliceError(Failure(.badURL, Array("\(address): \(error.sentence)".utf8)))
    }
    guard endpoint.isFolder else {
      throw SpliceError(Failure(.badURL, Array("\(address): end it with '/' to name a folder".utf8)))
    }
    self.address = address
  }

  /// Sends files. Nothing happens before the result is iterated.
  ///
  /// - Parameters:
  ///   - files: no two may go to one place.
  ///   - isRecursive: folders, too, with everything in them.
  public func put(
    _ files: [File], existing: ExistingFile = .replace, isRecursive: Bool = false
  ) -> SpliceTransfer {
    var plan = plan(.put, files, isRecursive)
    plan.policy =
      switch existing {
      case .replace: .replace
      case .keep: .ifAbsent
      case .refuse: .create
      }
    return SpliceTransfer(plan)
  }

  /// Sends one file.
  ///
  /// - Parameter remote: its name on the server; nil: the name that it has here.
  public func put(
    _ local: SplicePath, as remote: SplicePath? = nil, existing: ExistingFile = .replace
  ) -> SpliceTransfer {
    put([File(local, remote: remote)], existing: existing)
  }

  /// Fetches files. Nothing happens before the result is iterated.
  ///
  /// - Parameters:
  ///   - files: no two may go to one place.
  ///   - isRecursive: folders, too, with everything in them.
  public func get(_ files: [File], isRecursive: Bool = false) -> SpliceTransfer {
    SpliceTransfer(plan(.get, files, isRecursive))
  }

  /// Fetches one file.
  ///
  /// - Parameter local: where it goes; a folder takes it under its own name.
  public func get(_ remote: SplicePath, to local: SplicePath) -> SpliceTransfer {
    get([File(local, remote: remote)])
  }

  private func plan(_ direction: TransferPlan.Direction, _ files: [File], _ isRecursive: Bool) -> TransferPlan {
    var plan = TransferPlan(
      direction, url: Array(address.utf8),
      files: files.map { TransferPlan.File(local: $0.local.bytes, remote: $0.remote?.bytes ?? []) })
    plan.isRecursive = isRecursive
    plan.cacheFolder = cache?.bytes
    plan.bytesPerSecond = rate == 0 ? 0 : max(rate, Limits.rateMin)
    plan.retrySeconds = UInt64(max(0, patience.components.seconds))
    return plan
  }
}
