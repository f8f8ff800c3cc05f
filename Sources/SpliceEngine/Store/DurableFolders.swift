// Which folders have names that a power cut cannot take back.

internal import SpliceBase
internal import SpliceCore
package import SpliceSystem
internal import SpliceUV

/// Folders below one root whose names this process has synced, so that it is done once and not for each file.
///
/// A folder that is there may have been made by a process that was killed before it could sync the name, or by
/// a program that never does. Any thread; what it asks of the disk blocks.
package final class DurableFolders: @unchecked Sendable {
  /// What is forgotten is only synced once more.
  private static let countMax = 1024

  private let mutex = Mutex()
  /// Hashes of their paths.
  private var known: Set<UInt64> = []
  /// Rises when something is forgotten, so that a sync from before is not noted after it.
  private var generation = 0

  package init() {}

  /// Returns once all names on `path`, which is there, are on stable storage.
  package func makeDurable(_ path: [UInt8], below root: any Directory) throws(Errno) {
    if path.isEmpty { return }
    let key = path.withUnsafeBytes { BlockHasher.check($0, seed: 0) }
    let (isKnown, before) = mutex.withLock { (known.contains(key), generation) }
    if isKnown { return }
    try Self.syncNames(on: path, below: root)
    mutex.withLock {
      guard generation == before else { return }
      if known.count >= Self.countMax { known.removeAll() }
      known.insert(key)
    }
  }

  /// A folder was removed: one that gets its name later has to be synced anew.
  package func forget() {
    mutex.withLock {
      generation += 1
      known.removeAll()
    }
  }

  /// Makes the name of each directory on `path` survive a power cut, whoever gave it that name and whenever.
  /// `makePath` syncs what it makes, but the process that made a directory may have been killed before that.
  private static func syncNames(on path: [UInt8], below root: any Directory) throws(Errno) {
    let slash = UInt8(ascii: "/")
    var before = 0
    var at = 0
    while at < path.count {
      while at < path.count, path[at] == slash { at += 1 }
      if at == path.count { return }
      // The name that begins here is kept by the directory before it.
      let holder = before > 0 ? Array(path[..<before]) : [path[0] == slash ? slash : UInt8(ascii: ".")]
      // Who may not read a directory cannot sync it alone.
      guard try syncIfReadable(holder, below: root) else { return try root.openDirectory(path).syncFileSystem() }
      while at < path.count, path[at] != slash { at += 1 }
      before = at
    }
  }

  private static func syncIfReadable(_ path: [UInt8], below root: any Directory) throws(Errno) -> Bool {
    let directory: any Directory
    do throws(Errno) {
      directory = try root.openDirectory(path)
    } catch {
      if error == .accessDenied { return false }
      throw error
    }
    do throws(Errno) {
      try directory.sync()
    } catch {
      // Nothing can be lost of a file system that is not written, or that has no such thing as a sync.
      guard error == .invalid || error == .readOnly || error == .notSupported else { throw error }
    }
    return true
  }
}
