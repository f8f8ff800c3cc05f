// The seam for names: what a directory must do, so that a simulator can be the file system.

/// How a file is opened. None of them hangs on a FIFO, and none becomes a controlling terminal.
package enum OpenMode: Sendable {
  /// An existing file, for reading.
  case read
  /// An existing file, for reading and writing; a symbolic link as the last component is refused (`.loop`).
  case readWrite
  /// For reading and writing, made when missing; a symbolic link as the last component is refused (`.loop`).
  case create
  /// As `create`, and throws `.exists` when there already is something of that name.
  case createNew
}

/// One name in a directory.
package struct DirectoryEntry: Equatable, Sendable {
  /// 1 ... 255 bytes, no "/" and no NUL; any encoding.
  package var name: [UInt8]
  /// Nil when the file system does not tell without a further call of `status`.
  package var kind: FileKind?

  package init(name: [UInt8], kind: FileKind?) {
    self.name = name
    self.kind = kind
  }
}

/// The names in a directory, in no order, without "." and "..".
///
/// - Ownership: has a position and a descriptor of its own. One thread at a time; may block on the disk.
package protocol DirectoryReader: AnyObject {
  /// The next name, or nil at the end. Names made or removed meanwhile may or may not come.
  /// The corresponding C function is `readdir(3)`.
  func next() throws(Errno) -> DirectoryEntry?
}

/// An open directory, and the root for the paths that are given to it.
///
/// `path` parameters are relative paths of any depth, and empty or "." is the directory itself; `name`
/// parameters are single components, because the calls behind them cannot be confined. Whether a path may
/// leave the directory is a property of the directory.
///
/// - Threads: any, and every call may block on the disk: pool threads only in the daemon.
package protocol Directory: AnyObject {
  /// Never closed by the caller.
  var descriptor: Int32 { get }

  /// `permissions` (0 ... 0o7777, less the process's mask) is for a file that gets made.
  ///
  /// What opens need not be a regular file: ask its status.
  /// - Throws: `.crossDevice` when a confined path leaves the directory.
  /// The corresponding C function is `openat2(2)`.
  func openFile(_ path: [UInt8], _ mode: OpenMode, permissions: UInt32) throws(Errno) -> any File

  /// A file for reading and writing that has no name yet, in the file system of this directory. It goes with its last
  /// descriptor, or with its process, unless `link` has given it a name.
  ///
  /// - Returns: nil where the file system has no such thing or is slow with it, or this process could not name it.
  /// The corresponding C function is `openat(2)` with `O_TMPFILE`.
  func openNameless(permissions: UInt32) throws(Errno) -> (any File)?

  /// Gives a file of `openNameless` the name `name` in this directory.
  ///
  /// - Throws: `.exists` when there is something of that name; `.stale` when this system forbids it: the file has to be
  ///   made anew, and `openNameless` returns nil from now on.
  /// The corresponding C function is `linkat(2)`.
  func link(_ file: any File, as name: [UInt8]) throws(Errno)

  /// The corresponding C function is `openat2(2)`.
  func openDirectory(_ path: [UInt8]) throws(Errno) -> any Directory

  /// Opens the directory at `path`, durably making what is missing: see the extension.
  func makePath(_ path: [UInt8], permissions: UInt32) throws(Errno) -> any Directory

  /// The corresponding C function is `mkdirat(2)`.
  func makeDirectory(_ name: [UInt8], permissions: UInt32) throws(Errno)

  /// Gives the file or directory `name` the name `newName` in `directory`, in one step.
  ///
  /// - Throws: `.exists` when there is something of that name and `replacing` is false.
  /// The corresponding C function is `renameat2(2)`.
  func rename(
    _ name: [UInt8], to directory: any Directory, as newName: [UInt8], replacing: Bool
  ) throws(Errno)

  /// Removes what is not a directory. The corresponding C function is `unlinkat(2)`.
  func remove(_ name: [UInt8]) throws(Errno)

  /// Removes an empty directory. The corresponding C function is `unlinkat(2)`.
  func removeDirectory(_ name: [UInt8]) throws(Errno)

  /// The corresponding C function is `fstat(2)` on a descriptor of `openat2(2)` with `O_PATH`.
  func status(_ path: [UInt8], followLinks: Bool) throws(Errno) -> FileStatus

  /// There is something of this name; a link counts as itself.
  func has(_ name: [UInt8]) throws(Errno) -> Bool

  func reader() throws(Errno) -> any DirectoryReader

  /// Throws `.accessDenied` or `.readOnly` when this user cannot make names here. The C function is
  /// `faccessat(2)`.
  func requireWritable() throws(Errno)

  /// Returns once the names in this directory are on stable storage. The C function is `fsync(2)`.
  func sync() throws(Errno)

  /// Returns once everything that was written before on this file system is on stable storage, whoever wrote
  /// it. A failed write of one file may be reported here or to another's sync: ask that file as well.
  /// The corresponding C function is `syncfs(2)`.
  func syncFileSystem() throws(Errno)

  /// Bytes that this user may still take on the file system; `UInt64.max` where it does not say.
  /// The corresponding C function is `fstatvfs(3)`.
  func freeSpace() throws(Errno) -> UInt64
}

extension Directory {
  package func has(_ name: [UInt8]) throws(Errno) -> Bool {
    do throws(Errno) {
      _ = try status(name, followLinks: false)
      return true
    } catch {
      guard error == .noEntry else { throw error }
      return false
    }
  }
}
