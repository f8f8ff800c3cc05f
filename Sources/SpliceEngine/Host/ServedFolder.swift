// The folder that a server serves, opened.

internal import SpliceBase
internal import SpliceCore
package import SpliceSystem
internal import SpliceWire

package enum ServedFolderError: Error, Equatable {
  case cannotOpen(Errno)
  /// Another server has it.
  case inUse
  /// Its `.splice` cannot be made or read.
  case cannotPrepare(StoreError)

  /// A whole line about it.
  package func sentence(_ path: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.append(quoting: path)
    switch self {
    case .cannotOpen(let errno):
      text.append(": cannot open the folder: ")
      text.append(errno.name)
    case .inUse: text.append(": cannot serve the folder: another spliced serves it already")
    case .cannotPrepare(let error):
      text.append(": cannot prepare .splice: ")
      text.append(contentsOf: error.sentence)
    }
    return text
  }
}

/// A folder that belongs to this server until the last reference to its store goes.
package struct ServedFolder {
  package let directory: PosixDirectory
  package let store: Store
  /// What waiting for its disk costs.
  package let syncs = SyncMeter()

  package init(_ path: [UInt8], isReadOnly: Bool) throws(ServedFolderError) {
    let boot = Boot(id: BootID(bytes: Host.bootID()), startedAt: SystemClock.bootTime())
    do throws(Errno) {
      directory = try PosixDirectory.open(path, confined: true, meter: syncs)
    } catch { throw .cannotOpen(error) }
    do throws(StoreError) {
      store = try Store.open(directory, isReadOnly: isReadOnly, boot: boot)
    } catch {
      throw error.code == .busy ? .inUse : .cannotPrepare(error)
    }
  }
}
