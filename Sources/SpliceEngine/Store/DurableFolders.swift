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
    let before: Int? = mutex.withLock { known.contains(key) ? nil : generation }
    guard let before else { return }
    try root.syncNames(on: path)
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
}
