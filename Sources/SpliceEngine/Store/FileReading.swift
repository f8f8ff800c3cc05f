// Reading what a file holds, whole and in order, for digests.

internal import SpliceBase
package import SpliceCore
package import SpliceSystem

extension File {
  /// Fills `buffer` from `offset` on; fewer bytes only at the end of the file. Returns how many.
  package func readAll(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
    var filled = 0
    while filled < buffer.count {
      let count = try read(
        into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]), at: offset + UInt64(filled))
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// Feeds the bytes from `start` up to `end` to `hasher`. Returns how many there were; fewer only when
  /// the file ends before.
  package func hash(from start: UInt64, to end: UInt64, with hasher: BlockHasher) throws(Errno) -> UInt64 {
    try forEachPiece(from: start, to: end) { hasher.update($0) }
  }

  /// Feeds `md5` with the bytes from its end on.
  ///
  /// - Throws: `.stale` when the file ends before.
  func feed(_ md5: RunningMD5, to end: UInt64) throws(Errno) {
    let start = md5.count
    guard try forEachPiece(from: start, to: end, { md5.update($0) }) == end - start else { throw .stale }
  }

  private func forEachPiece(
    from start: UInt64, to end: UInt64, _ body: (UnsafeRawBufferPointer) -> Void
  ) throws(Errno) -> UInt64 {
    guard start < end else { return 0 }
    // Of a small file no more than it has: glibc maps and unmaps large ones each time.
    let most = Int(min(UInt64(Limits.portionSize), end - start))
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: most, alignment: 64)
    defer { chunk.deallocate() }
    var offset = start
    while offset < end {
      let wanted = Int(min(UInt64(chunk.count), end - offset))
      let count = try readAll(into: UnsafeMutableRawBufferPointer(rebasing: chunk[..<wanted]), at: offset)
      if count == 0 { break }
      body(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
      offset += UInt64(count)
    }
    return offset - start
  }
}

extension File {
  /// Brings these bytes into memory, so that a loop which sends them does not wait for the disk.
  func warm(from start: UInt64, to end: UInt64) {
    if start >= end || isCached(from: start, count: end - start) { return }
    willNeed(from: start, count: end - start)
    // The kernel reads ahead at least as far as a step.
    let step: UInt64 = 64 << 10
    var byte: UInt8 = 0
    var offset = start
    while offset < end {
      withUnsafeMutableBytes(of: &byte) { raw in
        // A failure shows again, and is handled, when the bytes are sent.
        do throws(Errno) { _ = try read(into: raw, at: offset) } catch {}
      }
      offset += step
    }
  }
}

extension FileStatus {
  /// What makes this content of this file.
  package var key: FileKey {
    FileKey(device: device, inode: inode, size: size, modified: modified, changed: changed)
  }
}
