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
///
/// In the first case, which is that of every broken link, the end of the journal is all that is read: every so many
/// records it says anew what the ones before have said. A record damaged before that is noticed by who needs it.
struct JournalEvidence {
  /// The blocks from the beginning whose recorded digests count.
  private(set) var trusted: PrefixChain
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
  /// Behind the last good record; nil when there is none.
  private(set) var end: RecordLog.Position?
  /// All that is recorded counts.
  private(set) var isWhole = false

  /// After so many records a name, a session and a checkpoint are due, and they still are among the last that
  /// `RecordLog.positionOfLastName` looks at.
  static let restatementInterval: UInt64 = 16

  /// No evidence.
  init(_ geometry: BlockGeometry) { trusted = PrefixChain(geometry) }

  init(_ log: RecordLog, geometry: BlockGeometry, status: FileStatus, boot: Boot) throws(Errno) {
    self.init(geometry)
    if try believeEnd(of: log, status, boot) { return }
    try weighAll(of: log, status, boot)
  }

  /// The first case, from the last restatement on. Returns false when it has to be looked at as a whole.
  private mutating func believeEnd(of log: RecordLog, _ status: FileStatus, _ boot: Boot) throws(Errno) -> Bool {
    guard let first = try log.positionOfLastName() else { return false }
    let geometry = trusted.geometry
    var chain: PrefixChain?
    var isOurs = false
    var checkpoint: UInt64?
    var last: (stamp: UInt64, place: RecordLog.Position)?
    try log.scan(from: first) { record, stamp, after in
      switch record {
      case .name(let digest): chain = PrefixChain(geometry, blocks: after.blocks, digest: digest)
      case .block(let digest): chain?.append(digest)
      case .checkpoint(let bytes): checkpoint = bytes
      case .session(let id): isOurs = id == boot.id
      case .md5: break
      }
      last = (stamp, after)
      return true
    }
    guard let chain, isOurs, boot.id.isKnown, let checkpoint, let last, last.stamp == status.key.stamp,
      chain.blocks <= geometry.wholeBlocks(in: status.size)
    else { return false }
    trusted = chain
    durable = min(checkpoint, status.size)
    end = last.place
    isWhole = true
    return true
  }

  private mutating func weighAll(of log: RecordLog, _ status: FileStatus, _ boot: Boot) throws(Errno) {
    let geometry = trusted.geometry
    var trustedBlocks: UInt64 = 0
    var digests: [Digest] = []
    // Both sizes are what somebody may have made of them.
    digests.reserveCapacity(Int(min(try log.recordCount(), geometry.wholeBlocks(in: status.size))))
    var checkpoint: UInt64 = 0
    var lastBoot: BootID?
    var lastStamp: UInt64?
    try log.scan { record, stamp, after in
      switch record {
      case .block(let digest): digests.append(digest)
      case .checkpoint(let bytes): checkpoint = bytes
      case .session(let id): lastBoot = id
      case .md5, .name: break
      }
      end = after
      lastStamp = stamp
      return true
    }
    let recorded = UInt64(digests.count)
    let isUntouched = lastStamp == status.key.stamp
    let isSameBoot = boot.id.isKnown && lastBoot == boot.id
    if isSameBoot, isUntouched {
      trustedBlocks = min(recorded, geometry.wholeBlocks(in: status.size))
      durable = min(checkpoint, status.size)
    } else if !isSameBoot, isUntouched || status.changed.isBefore(boot.startedAt) {
      // The data is cut back to a block that arrived damaged, and the disk may have had no room to say so.
      durable = min(checkpoint, status.size)
      // A block that is covered and not recorded has to be read.
      if geometry.wholeBlocks(in: durable) > recorded { durable = recorded * geometry.blockSize }
      trustedBlocks = geometry.wholeBlocks(in: durable)
      suspects = Array(digests[Int(trustedBlocks)...])
      // A journal that covers nothing may have been begun anew over bytes that an older one had covered.
      limit = trustedBlocks > 0 ? max(checkpoint, recorded * geometry.blockSize) : nil
    } else {
      self.recorded = digests
      recordedDurable = checkpoint
      return
    }
    for digest in digests[..<Int(trustedBlocks)] { trusted.append(digest) }
    isWhole = trustedBlocks == recorded
  }
}

extension Timestamp {
  fileprivate func isBefore(_ other: Timestamp) -> Bool {
    seconds < other.seconds || (seconds == other.seconds && nanoseconds < other.nanoseconds)
  }
}
