// The seam for the contents of one file: what a disk must do, so that a simulator can be the disk.

package import SpliceBase

/// An open file. Positions are explicit, so calls from several threads do not disturb each other.
///
/// - Ownership: the descriptor is closed when the last reference goes; an error of that close is lost, so
///   whoever needs the bytes calls `syncData` first.
/// - Threads: any, and every call may block on the disk: pool threads only in the daemon.
package protocol File: AnyObject {
  /// For `Socket.sendFile` and polls; never closed by the caller.
  var descriptor: Int32 { get }

  /// The corresponding C function is `fstat(2)`.
  func status() throws(Errno) -> FileStatus

  /// Reads at most `into.count` bytes from byte `offset`.
  ///
  /// - Returns: the count read, which may be short; 0 is the end of the file.
  /// The corresponding C function is `pread(2)`.
  func read(into: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int

  /// Writes all bytes of all pieces, one after the other, from byte `offset`. No allocation.
  ///
  /// - Throws: when any part could not be written; the bytes before it may have been.
  /// The corresponding C function is `pwritev(2)`.
  func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64) throws(Errno)

  /// Writes all of `bytes` from byte `offset`. No allocation.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno)

  /// As above. Where the file system can, and `bytes` and `offset` are at whole pages, the disk takes them from where
  /// they are, and the kernel's cache has no copy. Nobody else may use this file meanwhile.
  ///
  /// See `O_DIRECT` in open(2).
  func writeUncached(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno)

  /// Returns once the contents, and the size that finds them again, are on stable storage.
  ///
  /// After a throw the kernel may have dropped the unwritten pages: calling again proves nothing.
  /// The corresponding C function is `fdatasync(2)`.
  func syncData() throws(Errno)

  /// Returns once contents and all metadata are on stable storage; see `syncData` about a throw.
  /// The corresponding C function is `fsync(2)`.
  func sync() throws(Errno)

  /// Asks the disk to begin writing what is cached of `count` bytes from `offset`; 0 means to the end. A hint,
  /// without a result.
  /// The corresponding C function is `sync_file_range(2)`.
  func startWriteback(from offset: UInt64, count: UInt64)

  /// Waits for writes of these bytes that are under way and tells whether one of this file has failed since it was
  /// opened or last told. Not a sync: the disk's own cache and the file's metadata are not flushed.
  /// The corresponding C function is `sync_file_range(2)`.
  func waitForWriteback(from offset: UInt64, count: UInt64) throws(Errno)

  /// Cuts or extends with zeros to `size` bytes. The corresponding C function is `ftruncate(2)`.
  func truncate(to size: UInt64) throws(Errno)

  /// Takes disk space for `count` bytes from `offset`, without changing the file's size.
  ///
  /// - Returns: false when the file system cannot reserve: the writes will tell.
  /// - Throws: `.noSpace` and `.quota` before a byte was sent in vain.
  /// The corresponding C function is `fallocate(2)` with `FALLOC_FL_KEEP_SIZE`.
  func reserve(from offset: UInt64, count: UInt64) throws(Errno) -> Bool

  /// Copies `count` bytes from byte `offset` of `source` to the same place in this file. Where the file system
  /// can, the two share the blocks until one is changed.
  ///
  /// - Throws: `.stale` when `source` ends before.
  /// The corresponding C function is `copy_file_range(2)`.
  func copy(from source: any File, at offset: UInt64, count: UInt64) throws(Errno)

  /// Leaves the time of access as it is. The corresponding C function is `futimens(3)`.
  func setModified(_ time: Timestamp) throws(Errno)

  /// Sets the permission bits, 0 ... 0o7777. The corresponding C function is `fchmod(2)`.
  func setMode(_ mode: UInt32) throws(Errno)

  /// Asks the kernel to start reading `count` bytes from `offset` into its cache; 0 means to the end.
  /// The corresponding C function is `posix_fadvise(2)`.
  func willNeed(from offset: UInt64, count: UInt64)

  /// Whether all of these bytes are in the kernel's cache, so that reading them waits for no disk; before Linux
  /// 6.5 a sample of them. False where the kernel cannot tell. Never waits itself. The corresponding calls are
  /// `cachestat(2)` and `preadv2(2)` with `RWF_NOWAIT`.
  func isCached(from offset: UInt64, count: UInt64) -> Bool

  /// Lets the kernel forget the clean cached pages of the whole file, so that one long transfer does not
  /// push everything else out. The corresponding C function is `posix_fadvise(2)`.
  func dropCached()

  /// Takes the file's exclusive lock without waiting; it is held until the file is closed.
  ///
  /// - Returns: false when another open file description holds it.
  /// The corresponding C function is `flock(2)`.
  func tryLock() throws(Errno) -> Bool
}

extension File {
  package func copy(from source: any File, at offset: UInt64, count: UInt64) throws(Errno) {
    try copyByReading(from: source, at: offset, count: count)
  }

  /// As `copy`, by way of memory.
  func copyByReading(from source: any File, at offset: UInt64, count: UInt64) throws(Errno) {
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
    defer { chunk.deallocate() }
    var done: UInt64 = 0
    while done < count {
      let wanted = Int(min(UInt64(chunk.count), count - done))
      let read = try source.read(into: UnsafeMutableRawBufferPointer(rebasing: chunk[..<wanted]), at: offset + done)
      if read == 0 { throw .stale }
      try write(UnsafeRawBufferPointer(rebasing: chunk[..<read]), at: offset + done)
      done += UInt64(read)
    }
  }
}
