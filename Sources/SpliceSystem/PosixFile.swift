// A file of the real file system.

internal import CPlatform
package import SpliceBase

/// A descriptor with the calls of `File`; closes it when the last reference goes.
package final class PosixFile: File {
  package let descriptor: Int32
  private let meter: SyncMeter?
  private var isLocked = false
  /// Asked once: the file system stays the same.
  private lazy var canWriteUncached = csplice_writes_uncached(descriptor) == 1

  /// Takes over `descriptor`, which must be open and belong to nobody else.
  ///
  /// - Parameter meter: who counts its syncs.
  package init(descriptor: Int32, meter: SyncMeter? = nil) {
    require(descriptor >= 0, "a file needs an open descriptor")
    self.descriptor = descriptor
    self.meter = meter
  }

  /// Opens any local file for reading, with a path relative to the process's working directory unless it is absolute.
  ///
  /// What opens need not be a regular file: ask its status. The corresponding C function is `open(2)`.
  package static func open(_ path: [UInt8]) throws(Errno) -> PosixFile {
    PosixFile(
      descriptor: try checkedDescriptor(
        csplice_open(
          Int32(CSPLICE_CURRENT_DIRECTORY), Int32(CSPLICE_ANYWHERE), path, path.count, Int32(CSPLICE_OPEN_READ), 0)))
  }

  deinit {
    // Closing is not enough where another thread has just forked: the child holds the lock until it runs its program.
    if isLocked { csplice_unlock(descriptor) }
    csplice_close(descriptor)
  }

  package func status() throws(Errno) -> FileStatus {
    var raw = csplice_status()
    try check(csplice_status(descriptor, &raw))
    return FileStatus(raw)
  }

  package func read(into: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
    try checkedCount(csplice_read_at(descriptor, into.baseAddress, into.count, offset))
  }

  package func write(
    _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64
  ) throws(Errno) {
    var first = 0
    var position = offset
    while first < pieces.count {
      let batch = UnsafeBufferPointer(rebasing: pieces[first..<min(first + pieceCountMax, pieces.count)])
      var byteCount = 0
      let result = withShimPieces(batch) { (shim: UnsafeMutablePointer<csplice_piece>, count: Int) -> Int32 in
        for index in 0..<count { byteCount += shim[index].count }
        return csplice_write_all_at(descriptor, shim, count, position)
      }
      try check(result)
      first += batch.count
      position += UInt64(byteCount)
    }
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
    var piece = csplice_piece(base: bytes.baseAddress, count: bytes.count)
    try check(csplice_write_all_at(descriptor, &piece, 1, offset))
  }

  package func writeUncached(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
    let pageSize: UInt64 = 4096
    if canWriteUncached, (UInt64(UInt(bitPattern: bytes.baseAddress)) | UInt64(bytes.count) | offset) % pageSize == 0 {
      let result = csplice_write_uncached_at(descriptor, bytes.baseAddress, bytes.count, offset)
      try check(result)
      if result == 0 { return }
      canWriteUncached = false
    }
    // Not all at once: the cache asks for memory in one piece for it.
    var done = 0
    while done < bytes.count {
      let end = min(bytes.count, done + Limits.portionSize)
      try write(UnsafeRawBufferPointer(rebasing: bytes[done..<end]), at: offset + UInt64(done))
      done = end
    }
  }

  package func syncData() throws(Errno) {
    try check(SyncMeter.measured(meter) { csplice_sync_data(descriptor) })
  }

  package func sync() throws(Errno) {
    try check(SyncMeter.measured(meter) { csplice_sync(descriptor) })
  }

  package func startWriteback(from offset: UInt64, count: UInt64) {
    csplice_start_writeback(descriptor, offset, count)
  }

  package func waitForWriteback(from offset: UInt64, count: UInt64) throws(Errno) {
    try check(csplice_wait_for_writeback(descriptor, offset, count))
  }

  package func truncate(to size: UInt64) throws(Errno) { try check(csplice_truncate(descriptor, size)) }

  package func reserve(from offset: UInt64, count: UInt64) throws(Errno) -> Bool {
    let result = csplice_reserve(descriptor, offset, count)
    try check(result)
    return result == 1
  }

  package func copy(from source: any File, at offset: UInt64, count: UInt64) throws(Errno) {
    let copied = UInt64(try checkedCount(csplice_copy_range(source.descriptor, descriptor, offset, count)))
    // The rest is what this kernel or file system does not copy by itself.
    if copied < count { try copyByReading(from: source, at: offset + copied, count: count - copied) }
  }

  package func setModified(_ time: Timestamp) throws(Errno) {
    try check(csplice_set_modified(descriptor, time.seconds, time.nanoseconds))
  }

  package func setMode(_ mode: UInt32) throws(Errno) {
    try check(csplice_set_permissions(descriptor, mode))
  }

  package func willNeed(from offset: UInt64, count: UInt64) {
    csplice_will_need(descriptor, offset, count)
  }

  package func isCached(from offset: UInt64, count: UInt64) -> Bool {
    csplice_is_cached(descriptor, offset, count) == 1
  }

  package func dropCached() { csplice_drop_cached(descriptor) }

  package func tryLock() throws(Errno) -> Bool {
    let result = csplice_try_lock(descriptor)
    try check(result)
    if result == 1 { isLocked = true }
    return result == 1
  }
}
