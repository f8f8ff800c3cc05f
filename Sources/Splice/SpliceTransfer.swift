// A transfer under way, as a sequence of what happens.

internal import SpliceClient
internal import SpliceEngine

/// A transfer that ``SpliceClient`` made, as a sequence of its events.
///
/// Iterating it transfers; iterating it again transfers again, and goes on where the first time stopped. The
/// sequence ends when every file is done, and throws the error of the first file that failed. Cancelling the
/// task that iterates, or leaving the loop, stops the transfer and keeps what came so far.
///
/// ```swift
/// for try await event in client.get("backup.tar", to: "/tmp/backup.tar") {
///   switch event {
///   case .progress(let progress): show(progress.done, of: progress.total)
///   case .finished(let file): print("\(file.remote): \(file.sent) bytes in \(file.duration)")
///   case .notice(let text): print(text)
///   }
/// }
/// ```
public struct SpliceTransfer: AsyncSequence, Sendable {
  public typealias Failure = SpliceError

  /// What happens in a transfer.
  public enum Event: Sendable {
    /// Comes often; a slow reader gets the latest.
    case progress(Progress)
    /// Once for each file that was begun, or that failed before.
    case finished(FileResult)
    /// What is no error: a link that broke, a file passed over.
    case notice(String)
  }

  /// How far a transfer is.
  public struct Progress: Hashable, Sendable {
    public enum Phase: Hashable, Sendable {
      case connecting
      /// Bytes on this side are being read to prove a prefix; nothing moves yet.
      case checking
      case moving
      /// The link broke; the next attempt comes after this time.
      case waiting(Duration)
    }

    public let phase: Phase
    /// The file that it is about, on the server; empty while there is none.
    public let path: SplicePath
    /// Bytes of that file.
    public let done: UInt64
    /// Bytes of that file.
    public let total: UInt64
    public let filesDone: Int
    /// Grows while folders are read.
    public let filesKnown: Int
  }

  /// What became of one file.
  public struct FileResult: Hashable, Sendable {
    /// Its path on the server; of what never came to be a transfer the path that is to blame.
    public let remote: SplicePath
    /// Empty for what never came to be a transfer.
    public let local: SplicePath
    /// Nil: the file is whole, was compared, and is on stable storage at its destination.
    public let error: SpliceError?
    /// With an error: whether the same transfer again may succeed, going on where this one stopped.
    public let isResumable: Bool
    /// The other side had the very file, and no byte was moved.
    public let wasThere: Bool
    /// Bytes of the file.
    public let total: UInt64
    /// File bytes that went over the link, in all attempts.
    public let sent: UInt64
    /// Bytes that the last attempt did not have to send.
    public let resumedFrom: UInt64
    public let attempts: Int
    public let duration: Duration
  }

  private let plan: TransferPlan

  init(_ plan: TransferPlan) { self.plan = plan }

  public func makeAsyncIterator() -> Iterator { Iterator(TransferFeed(plan)) }

  /// Transfers, and returns when every file is done.
  ///
  /// - Returns: one result for each file.
  /// - Throws: the error of the first file that failed; ``SpliceError/Code/cancelled`` when the task is
  ///   cancelled.
  @discardableResult
  public func finish() async throws(SpliceError) -> [FileResult] {
    var results: [FileResult] = []
    let iterator = makeAsyncIterator()
    while let event = try await iterator.next(isolation: nil) {
      if case .finished(let result) = event { results.append(result) }
    }
    return results
  }

  public struct Iterator: AsyncIteratorProtocol {
    private let feed: TransferFeed

    init(_ feed: TransferFeed) { self.feed = feed }

    public func next() async throws(SpliceError) -> Event? { try await next(isolation: nil) }

    public func next(isolation actor: isolated (any Actor)?) async throws(SpliceError) -> Event? {
      try await feed.next(isolation: actor)
    }
  }
}
