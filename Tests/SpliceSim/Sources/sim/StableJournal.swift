// What the journal of an unfinished upload would say if the power went in this very moment.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem

enum StableJournal {
  /// The bytes that it would vouch for, so that nobody had to read them again.
  static func durableBytes(_ inode: Inode?) -> Int {
    guard let inode else { return 0 }
    let bytes = inode.stable.bytes
    guard let headerCount = RecordFile.headerCount(bytes), let header = JournalHeader(bytes) else { return 0 }
    let geometry = BlockGeometry(blockSize: header.blockSize)
    var chain = RecordChain(header: Array(bytes[..<headerCount]))
    var durable: UInt64 = 0
    bytes.withUnsafeBytes { raw in
      var rest = raw[headerCount...]
      while rest.count >= RecordFile.recordSize,
        let (record, _) = chain.next(UnsafeRawBufferPointer(rebasing: rest.prefix(RecordFile.recordSize)))
      {
        if case .checkpoint(let bytes) = record { durable = bytes }
        rest = rest.dropFirst(RecordFile.recordSize)
      }
    }
    return geometry.wholeBlocks(in: durable) <= chain.blocks ? Int(durable) : 0
  }
}
