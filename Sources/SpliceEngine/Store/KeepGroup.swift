// Files that are there already are made durable: one sync for many of them.

package import SpliceSystem
internal import SpliceWire

/// A file under its name, whoever put it there and however that ended, and the folder that has the name.
package struct KeepPlan {
  let file: any File
  let directory: any Directory

  package init(file: any File, directory: any Directory) {
    self.file = file
    self.directory = directory
  }
}

/// Syncs files that nobody here writes, so that they can be called durable. Blocking.
enum KeepGroup {
  /// Returns a status, or what went wrong, for each plan. Everything about a file with a status is durable.
  static func sync(_ plans: [KeepPlan]) -> [Result<FileStatus, StoreError>] {
    var fileSystems = SharedSyncs<UInt64>()
    var folders = SharedSyncs<Int32>()
    return plans.map { plan in
      let (file, directory) = (plan.file, plan.directory)
      do throws(Errno) {
        let status = try file.status()
        // Where an overlay gives it another device than its folder, it is not known which file system has its data.
        if plans.count >= CommitGroup.wholeFileSystemMin, try device(of: directory) == status.device {
          try fileSystems.once(status.device) { () throws(Errno) in try directory.syncFileSystem() }
          // A failed write may have been reported to somebody else's sync; the file itself remembers it too.
          try file.waitForWriteback(from: 0, count: 0)
        } else {
          try file.sync()
          try folders.once(directory.descriptor) { () throws(Errno) in try directory.sync() }
        }
        return .success(status)
      } catch {
        return .failure(StoreError(error, otherwise: .writeFailed))
      }
    }
  }
}
