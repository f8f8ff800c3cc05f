// MD5 of what a stage holds, for clients that compare prefixes by it.

internal import SpliceBase
package import SpliceCore
internal import SpliceSystem
internal import SpliceWire

extension Stage {
  /// A running MD5 of the longest prefix, of at most `limit` bytes, that the journal knows the state of. The rest
  /// is to be read: see `extend`.
  package func recordedMD5(notAbove limit: UInt64) throws(StoreError) -> RunningMD5 {
    var found: (blocks: UInt64, state: Digest)?
    let blocks = geometry.wholeBlocks(in: min(limit, received))
    do throws(Errno) {
      try forEachRecord { record, after in
        if case .md5(let state) = record, after <= blocks { found = (after, state) }
        return after <= blocks
      }
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
    guard let found else { return RunningMD5() }
    return RunningMD5(state: found.state, count: found.blocks * geometry.blockSize)
  }

  /// Feeds `md5` with what is stored from its end on, at most about `budget` bytes. Returns true when it covers
  /// the first `end` bytes.
  package func extend(_ md5: RunningMD5, to end: UInt64, budget: UInt64) throws(StoreError) -> Bool {
    require(end <= received, "an MD5 covers what there is")
    if md5.count == end { return true }
    try withUntouchedData { (data) throws(Errno) in
      try data.feed(md5, to: min(end, md5.count + budget))
    }
    return md5.count == end
  }
}
