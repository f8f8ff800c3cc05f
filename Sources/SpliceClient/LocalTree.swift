// The local files of `put`, one after the other, however many there are.

internal import SpliceBase
package import SpliceSystem
internal import SpliceWire

/// One file to send, or one empty folder to make.
package struct LocalItem: Equatable, Sendable {
  /// As the user would name it: the operand of the command line and what is below it.
  package var localPath: [UInt8]
  /// Passed by `WirePath`.
  package var remotePath: [UInt8]
  /// As it was when the walk came by; the file may change afterwards.
  package var status: FileStatus
  /// A folder with nothing to send in it. Other folders come into being with their files.
  package var isDirectory: Bool

  package init(localPath: [UInt8], remotePath: [UInt8], status: FileStatus, isDirectory: Bool) {
    self.localPath = localPath
    self.remotePath = remotePath
    self.status = status
    self.isDirectory = isDirectory
  }
}

/// Walks the operands of `put`: files, and with `isRecursive` folders.
///
/// Links named on the command line are followed. Inside a folder links, sockets, FIFOs and devices are passed
/// over with a notice: a link may lead in circles, and none of them has bytes of its own to send.
///
/// - Memory: one open folder for each level of the deepest path, whatever the number of files. A level costs
///   two descriptors: raise the limit first.
/// - Order: of the operands, and within a folder as the file system gives it.
/// - Threads: one at a time; every call may block on the disk. Notices come on the caller's thread.
package final class LocalTree {
  /// A local file or folder, and the remote path that it gets.
  package struct Operand {
    package var localPath: [UInt8]
    package var remotePath: [UInt8]

    package init(localPath: [UInt8], remotePath: [UInt8]) {
      self.localPath = localPath
      self.remotePath = remotePath
    }
  }

  private let operands: [Operand]
  /// The path of the address as it was written.
  let writtenPath: [UInt8]
  private let isRecursive: Bool
  private let observer: any ClientObserver

  private var nextOperand = 0
  /// From the operand's folder down to the one being read.
  private var levels: [Level] = []

  private struct Level {
    var directory: any Directory
    var reader: any DirectoryReader
    var localPath: [UInt8]
    /// Empty for the root.
    var remotePath: [UInt8]
    var status: FileStatus
    /// Something below it was yielded, so it comes into being by itself.
    var isNeeded = false
  }

  package init(
    _ operands: [Operand], writtenPath: [UInt8], isRecursive: Bool, observer: any ClientObserver
  ) {
    self.operands = operands
    self.writtenPath = writtenPath
    self.isRecursive = isRecursive
    self.observer = observer
  }

  /// Operands that keep their names, as on a command line: see `LocalNames.remotePath`.
  package convenience init(
    operands: [[UInt8]], destination: Endpoint, isRecursive: Bool, observer: any ClientObserver
  ) {
    self.init(
      operands.map {
        Operand(localPath: $0, remotePath: LocalNames.remotePath(of: $0, to: destination))
      },
      writtenPath: destination.path.bytes, isRecursive: isRecursive, observer: observer)
  }

  /// The next file or empty folder, or nil after the last.
  ///
  /// - Throws: what is wrong with one file or folder. Call again: the others go on.
  package func next() throws(ClientError) -> LocalItem? {
    while true {
      if levels.isEmpty {
        guard nextOperand < operands.count else { return nil }
        nextOperand += 1
        if let item = try begin(operands[nextOperand - 1]) { return item }
      } else if let item = try advance() {
        return item
      }
    }
  }

  /// The item for a file; nil for a folder, which is on `levels` then.
  private func begin(_ next: Operand) throws(ClientError) -> LocalItem? {
    let operand = next.localPath
    let remotePath = next.remotePath
    let status: FileStatus
    do throws(Errno) {
      status = try LocalFiles.status(operand)
    } catch {
      throw ClientError(failed: "cannot read", path: operand, errno: error)
    }
    switch status.kind {
    case .regular:
      return try item(operand, remotePath, status)
    case .directory:
      if !isRecursive { throw ClientError(.isDirectory, path: operand, "is a directory (use -r)") }
      if !remotePath.isEmpty { try requireWirePath(remotePath, of: operand) }
      do throws(Errno) {
        try enter(
          PosixDirectory.open(operand, confined: false), localPath: operand, remotePath: remotePath,
          status: status)
      } catch {
        throw ClientError(failed: "cannot open the folder", path: operand, errno: error)
      }
      return nil
    case .symbolicLink, .other:
      throw ClientError(.readFailed, path: operand, "is not a regular file")
    }
  }

  /// One entry of the innermost folder; nil when it yields nothing, or the folder ended.
  private func advance() throws(ClientError) -> LocalItem? {
    let level = levels[levels.count - 1]
    let read: DirectoryEntry?
    do throws(Errno) {
      read = try level.reader.next()
    } catch {
      levels.removeLast()
      throw ClientError(failed: "cannot read the folder", path: level.localPath, errno: error)
    }
    guard let entry = read else { return leave() }

    let localPath = LocalNames.join(level.localPath, entry.name)
    // The listing's word spares a system call for what is passed over anyway.
    if entry.kind == .symbolicLink || entry.kind == .other {
      passOver(localPath, entry.kind)
      return nil
    }
    let status: FileStatus
    do throws(Errno) {
      status = try level.directory.status(entry.name, followLinks: false)
    } catch {
      throw ClientError(failed: "cannot read", path: localPath, errno: error)
    }
    let remotePath = LocalNames.join(level.remotePath, entry.name)
    switch status.kind {
    case .regular:
      let item = try item(localPath, remotePath, status)
      levels[levels.count - 1].isNeeded = true
      return item
    case .directory:
      try requireWirePath(remotePath, of: localPath)
      do throws(Errno) {
        try enter(
          level.directory.openDirectory(entry.name), localPath: localPath, remotePath: remotePath,
          status: status)
      } catch {
        throw ClientError(failed: "cannot open the folder", path: localPath, errno: error)
      }
    case .symbolicLink, .other:
      passOver(localPath, status.kind)
    }
    return nil
  }

  private func enter(
    _ directory: any Directory, localPath: [UInt8], remotePath: [UInt8], status: FileStatus
  ) throws(Errno) {
    levels.append(
      Level(
        directory: directory, reader: try directory.reader(), localPath: localPath, remotePath: remotePath,
        status: status))
  }

  /// Ends the innermost folder: an item when it must be made for its own sake.
  private func leave() -> LocalItem? {
    let level = levels.removeLast()
    if !levels.isEmpty { levels[levels.count - 1].isNeeded = true }
    // The root is always there.
    if level.isNeeded || level.remotePath.isEmpty { return nil }
    return LocalItem(
      localPath: level.localPath, remotePath: level.remotePath, status: level.status, isDirectory: true)
  }

  private func item(
    _ localPath: [UInt8], _ remotePath: [UInt8], _ status: FileStatus
  ) throws(ClientError) -> LocalItem {
    try requireWirePath(remotePath, of: localPath)
    return LocalItem(localPath: localPath, remotePath: remotePath, status: status, isDirectory: false)
  }

  private func requireWirePath(_ remotePath: [UInt8], of localPath: [UInt8]) throws(ClientError) {
    if WirePath(remotePath) == nil {
      throw ClientError(
        .badPath, path: localPath, "its path on the server would be too long or inside .splice")
    }
  }

  private func passOver(_ localPath: [UInt8], _ kind: FileKind?) {
    var text: [UInt8] = []
    text.append(visible: localPath)
    text.append(": passed over, ")
    text.append(kind == .symbolicLink ? "a symbolic link" : "not a regular file")
    observer.runDidNotice(text)
  }
}
