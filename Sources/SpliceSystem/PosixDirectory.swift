// A directory of the real file system, confined or not.

internal import CPlatform
internal import SpliceBase
internal import Synchronization

/// How the paths given to a directory are resolved.
package enum Resolution: Sendable {
  /// As everywhere else: "..", absolute paths and symbolic links lead out of the directory.
  case anywhere
  /// By the kernel, and only beneath the directory; symbolic links that stay beneath it are followed.
  /// Where the kernel has no `openat2` this works as `beneathWithoutLinks`.
  case beneath
  /// Component by component beneath the directory; refuses every symbolic link and every "..".
  case beneathWithoutLinks

  fileprivate var shimValue: Int32 {
    switch self {
    case .anywhere: Int32(CSPLICE_ANYWHERE)
    case .beneath: Int32(CSPLICE_BENEATH)
    case .beneathWithoutLinks: Int32(CSPLICE_BENEATH_NO_LINKS)
    }
  }
}

/// A descriptor with the calls of `Directory`; closes it when the last reference goes.
///
/// Directories opened through a confined one are confined to themselves.
package final class PosixDirectory: Directory {
  package let descriptor: Int32
  package let resolution: Resolution
  private let meter: SyncMeter?
  /// 1 or 0, or -1 as long as nobody has asked: what file system this is never changes.
  private let suitsNameless = Atomic<Int32>(-1)

  private init(descriptor: Int32, resolution: Resolution, meter: SyncMeter?) {
    self.descriptor = descriptor
    self.resolution = resolution
    self.meter = meter
  }

  deinit { csplice_close(descriptor) }

  /// Opens any local directory; `path` itself is not confined, what is opened through it later is.
  ///
  /// `path` is relative to the process's working directory unless it is absolute.
  ///
  /// - Parameter meter: who counts its syncs, and those of all that is opened through it.
  package static func open(
    _ path: [UInt8], confined: Bool, meter: SyncMeter? = nil
  ) throws(Errno) -> PosixDirectory {
    try open(path, resolution: confined ? .beneath : .anywhere, meter: meter)
  }

  package static func open(
    _ path: [UInt8], resolution: Resolution, meter: SyncMeter? = nil
  ) throws(Errno) -> PosixDirectory {
    let descriptor = try checkedDescriptor(
      csplice_open(
        Int32(CSPLICE_CURRENT_DIRECTORY), Int32(CSPLICE_ANYWHERE), path, path.count,
        Int32(CSPLICE_OPEN_DIRECTORY), 0))
    return PosixDirectory(descriptor: descriptor, resolution: resolution, meter: meter)
  }

  /// Confines this process to what is below: from now on it can open, make, rename and remove nothing
  /// elsewhere, whatever asks it to, and bind or connect no TCP port. Open descriptors keep their rights.
  ///
  /// Before any other thread runs: the kernel confines this thread and those that it starts.
  ///
  /// - Parameters:
  ///   - removing: where files can be removed as well.
  ///   - reading: where files can be read as well.
  /// - Returns: the version of the kernel's Landlock, which decides how much it covers.
  /// - Throws: `.noSystemCall` or `.notSupported` where the kernel has none, or one too old for renames.
  /// The corresponding C functions are `landlock_restrict_self(2)` and those before it.
  package func confineProcess(
    writing: Bool, removing: (any Directory)? = nil, reading: (any Directory)? = nil
  ) throws(Errno) -> Int {
    Int(
      try checkedDescriptor(
        csplice_confine(descriptor, writing ? 1 : 0, removing?.descriptor ?? -1, reading?.descriptor ?? -1)))
  }

  package func openFile(_ path: [UInt8], _ mode: OpenMode, permissions: UInt32) throws(Errno) -> any File {
    let shimMode =
      switch mode {
      case .read: Int32(CSPLICE_OPEN_READ)
      case .readWrite: Int32(CSPLICE_OPEN_READ_WRITE)
      case .create: Int32(CSPLICE_OPEN_CREATE)
      case .createNew: Int32(CSPLICE_OPEN_CREATE_NEW)
      }
    let opened = try checkedDescriptor(
      csplice_open(descriptor, resolution.shimValue, path, path.count, shimMode, permissions))
    return PosixFile(descriptor: opened, meter: meter)
  }

  package func openNameless(permissions: UInt32) throws(Errno) -> (any File)? {
    if suitsNameless.load(ordering: .relaxed) < 0 {
      suitsNameless.store(csplice_suits_nameless(descriptor), ordering: .relaxed)
    }
    guard suitsNameless.load(ordering: .relaxed) > 0 else { return nil }
    do throws(Errno) {
      let opened = try checkedDescriptor(csplice_open_nameless(descriptor, permissions))
      return PosixFile(descriptor: opened, meter: meter)
    } catch {
      if error == .notSupported { return nil }
      throw error
    }
  }

  package func link(_ file: any File, as name: [UInt8]) throws(Errno) {
    requireComponent(name)
    try check(csplice_link(file.descriptor, descriptor, name, name.count))
  }

  package func openDirectory(_ path: [UInt8]) throws(Errno) -> any Directory {
    let opened = try checkedDescriptor(
      csplice_open(
        descriptor, resolution.shimValue, path, path.count, Int32(CSPLICE_OPEN_DIRECTORY), 0))
    return PosixDirectory(descriptor: opened, resolution: resolution, meter: meter)
  }

  package func makeDirectory(_ name: [UInt8], permissions: UInt32) throws(Errno) {
    requireComponent(name)
    try check(csplice_make_directory(descriptor, name, name.count, permissions))
  }

  package func rename(
    _ name: [UInt8], to directory: any Directory, as newName: [UInt8], replacing: Bool
  ) throws(Errno) {
    requireComponent(name)
    requireComponent(newName)
    try check(
      csplice_rename(
        descriptor, name, name.count, directory.descriptor, newName, newName.count, replacing ? 1 : 0))
  }

  package func remove(_ name: [UInt8]) throws(Errno) {
    requireComponent(name)
    try check(csplice_remove(descriptor, name, name.count, 0))
  }

  package func removeDirectory(_ name: [UInt8]) throws(Errno) {
    requireComponent(name)
    try check(csplice_remove(descriptor, name, name.count, 1))
  }

  package func status(_ path: [UInt8], followLinks: Bool) throws(Errno) -> FileStatus {
    var raw = csplice_status()
    try check(
      csplice_status_at(
        descriptor, resolution.shimValue, path, path.count, followLinks ? 1 : 0, &raw))
    return FileStatus(raw)
  }

  package func reader() throws(Errno) -> any DirectoryReader {
    var stream: UnsafeMutableRawPointer?
    try check(csplice_entries_open(descriptor, &stream))
    guard let stream else { panic("a directory stream has no address") }
    return PosixDirectoryReader(stream: stream)
  }

  package func sync() throws(Errno) {
    try check(SyncMeter.measured(meter) { csplice_sync(descriptor) })
  }

  package func requireWritable() throws(Errno) { try check(csplice_check_writable(descriptor)) }

  package func syncFileSystem() throws(Errno) {
    try check(SyncMeter.measured(meter) { csplice_sync_file_system(descriptor) })
  }

  package func freeSpace() throws(Errno) -> UInt64 {
    var bytes: UInt64 = 0
    try check(csplice_free_space(descriptor, &bytes))
    return bytes
  }

  /// `mkdirat`, `unlinkat` and `renameat` follow links in all but the last component: there must be no other.
  private func requireComponent(_ name: [UInt8]) {
    require(!name.isEmpty, "a file name is empty")
    require(!name.contains(UInt8(ascii: "/")), "a file name has a slash")
    require(name != [UInt8(ascii: ".")], "a file name is a dot")
    require(name != [UInt8(ascii: "."), UInt8(ascii: ".")], "a file name is two dots")
  }
}

/// A stream of `readdir(3)`.
final class PosixDirectoryReader: DirectoryReader {
  private let stream: UnsafeMutableRawPointer

  /// Takes over a stream of `csplice_entries_open`.
  init(stream: UnsafeMutableRawPointer) { self.stream = stream }

  deinit { csplice_entries_close(stream) }

  func next() throws(Errno) -> DirectoryEntry? {
    var raw = csplice_entry()
    let result = csplice_entries_next(stream, &raw)
    try check(result)
    if result == 0 { return nil }
    return DirectoryEntry(
      name: Array(UnsafeBufferPointer(start: raw.name, count: raw.count)),
      kind: FileKind(shimKind: raw.kind))
  }
}
