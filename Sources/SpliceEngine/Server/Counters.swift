// What a worker has done since it began, as numbers that any thread may read.

internal import SpliceWire
internal import Synchronization

/// A number that one thread changes and any may read, without order among several of them.
final class Count: Sendable {
  private let value = Atomic<UInt64>(0)

  var now: UInt64 { value.load(ordering: .relaxed) }
  func add(_ count: UInt64) { value.add(count, ordering: .relaxed) }
  func set(_ count: Int) { value.store(UInt64(count), ordering: .relaxed) }
}

/// Counted by one worker's thread; never reset.
final class Counters: Sendable {
  let sessions = Count()
  let uploads = Count()
  let downloads = Count()
  /// Bytes over the wire.
  let received = Count()
  let sent = Count()
  /// Bytes of uploads that matched their digests, and those that are on stable storage.
  let verified = Count()
  let durable = Count()
  let commits = Count()
  /// Uploads and downloads that began behind a proved prefix, and the bytes of those prefixes.
  let resumes = Count()
  let resumedBytes = Count()
  /// What is open now.
  let openSessions = Count()
  let openTransfers = Count()
  let buffersInUse = Count()

  // The refusals, by reason; the codes of the protocol are 1 … 25.
  let busy = Count()
  let locked = Count()
  let noSpace = Count()
  let denied = Count()
  let badPath = Count()
  let digestMismatch = Count()
  let failed = Count()
  let otherRefusals = Count()

  func count(refusal code: ErrorCode) {
    switch code {
    case .busy: busy.add(1)
    case .locked: locked.add(1)
    case .noSpace: noSpace.add(1)
    case .denied: denied.add(1)
    case .badPath: badPath.add(1)
    case .digestMismatch: digestMismatch.add(1)
    case .writeFailed, .openFailed, .seekFailed, .readFailed: failed.add(1)
    default: otherRefusals.add(1)
    }
  }
}
