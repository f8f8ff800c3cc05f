// How much of a stage can be believed without reading it again.

package import SpliceBase
package import SpliceCore
internal import SpliceSystem

/// The running boot of the machine.
package struct Boot: Sendable {
  package let id: BootID
  /// When it began, on the wall clock.
  package let startedAt: Timestamp

  package init(id: BootID, startedAt: Timestamp) {
    self.id = id
    self.startedAt = startedAt
  }
}

/// What a journal proves about the data beside it.
///
/// Every record carries the stamp (size, times, inode) that the data had when it was written. Three cases:
/// - The stamp of the last record is still the data's, in the same boot: nobody touched it, the page
///   cache is whole, everything recorded counts.
/// - The machine went down in between and nobody touched the data since: what a checkpoint covers counts;
///   blocks recorded after it must be read and must match.
/// - Anything else (a write by somebody else, or a process killed between a write and its record): all
///   bytes are read again, and the sender's digests decide what they are worth.
struct JournalEvidence {
  /// Blocks from the beginning whose recorded digests count.
  var trustedBlocks: UInt64 = 0
  /// Bytes known to be on stable storage.
  var durable: UInt64 = 0
  /// Recorded digests of the blocks after the trusted ones; they count if the bytes match them.
  var suspects: [Digest] = []
  /// Where nothing is trusted: the recorded digests from the first block on, and what a checkpoint covered.
  /// Bytes that turn out to be what was recorded are still on stable storage.
  var recorded: [Digest] = []
  var recordedDurable: UInt64 = 0
  /// Bytes behind this are not worth reading; nil = as many as there are.
  var limit: UInt64?
  /// The digests of the trusted blocks.
  var trusted: ArraySlice<Digest> = []
  /// Behind the last record; nil when the trusted blocks end before it.
  var end: RecordLog.Position?

  static let none = JournalEvidence()

  private init() {}

  init(_ log: RecordLog, geometry: BlockGeometry, status: FileStatus, boot: Boot) throws(Errno) {
    var digests: [Digest] = []
    digests.reserveCapacity(Int(try log.recordCount()))
    var checkpoint: UInt64 = 0
    var checkpointBlocks = 0
    var lastBoot: BootID?
    var lastStamp: UInt64?
    try log.scan { record, stamp, after in
      switch record {
      case .block(let digest): digests.append(digest)
      case .checkpoint(let bytes):
        checkpoint = bytes
        checkpointBlocks = digests.count
      case .session(let id): lastBoot = id
      case .md5: break
      case .name: return false
      }
      end = after
      lastStamp = stamp
      return true
    }
    let recorded = UInt64(digests.count)
    let isUntouched = lastStamp == status.key.stamp
    if lastBoot == boot.id {
      guard isUntouched else {
        end = nil
        self.recorded = digests
        recordedDurable = checkpoint
        return
      }
      trustedBlocks = min(recorded, geometry.wholeBlocks(in: status.size))
      durable = min(checkpoint, status.size)
    } else if isUntouched || status.changed.isBefore(boot.startedAt) {
      guard checkpoint <= status.size, geometry.wholeBlocks(in: checkpoint) <= recorded else {
        end = nil
        return
      }
      trustedBlocks = geometry.wholeBlocks(in: checkpoint)
      durable = checkpoint
      suspects = Array(digests[checkpointBlocks...])
      limit = max(checkpoint, recorded * geometry.blockSize)
    }
    trusted = digests[..<Int(trustedBlocks)]
    if trustedBlocks < recorded { end = nil }
  }
}

extension Timestamp {
  fileprivate func isBefore(_ other: Timestamp) -> Bool {
    seconds < other.seconds || (seconds == other.seconds && nanoseconds < other.nanoseconds)
  }
}
