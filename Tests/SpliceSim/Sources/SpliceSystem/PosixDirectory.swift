// A directory of the simulated disk, with the face of the real PosixDirectory.

internal import SpliceBase

package final class PosixDirectory: Directory {
  package let descriptor: Int32
  private let process: SimProcess
  private let inode: Inode
  private var disk: Disk { process.machine.disk }

  private init(_ inode: Inode, _ process: SimProcess) {
    self.inode = inode
    self.process = process
    descriptor = process.open(OpenFile(inode))
  }

  deinit { process.close(descriptor) }

  /// The working directory of every process is the root of its machine's disk.
  package static func open(
    _ path: [UInt8], confined: Bool, meter: SyncMeter? = nil
  ) throws(Errno) -> PosixDirectory {
    guard let process = World.current.process else { panic("a system call outside of a process") }
    try process.call("open directory", changes: false)
    let inode = try find(path, from: process.machine.disk.root)
    guard inode.kind == .directory else { throw .notDirectory }
    return PosixDirectory(inode, process)
  }

  private static func split(_ path: [UInt8]) -> [[UInt8]] {
    path.split(separator: UInt8(ascii: "/")).map { Array($0) }.filter { $0 != [UInt8(ascii: ".")] }
  }

  private static func find(_ path: [UInt8], from start: Inode) throws(Errno) -> Inode {
    var inode = start
    for name in split(path) {
      guard inode.kind == .directory else { throw .notDirectory }
      guard let next = inode.entries[name] else { throw .noEntry }
      inode = next
    }
    return inode
  }

  private func start(_ path: [UInt8]) -> Inode { path.first == UInt8(ascii: "/") ? disk.root : inode }

  private func failNow() throws(Errno) {
    if World.current.chance(disk.faults.name) { throw .inputOutput }
  }

  package func openFile(_ path: [UInt8], _ mode: OpenMode, permissions: UInt32) throws(Errno) -> any File {
    let makes = mode == .create || mode == .createNew
    try process.call("open \(text(path)) \(mode)", changes: makes)
    try failNow()
    let parts = Self.split(path)
    guard let name = parts.last else { throw .isDirectory }
    var directory = start(path)
    for part in parts.dropLast() {
      guard let next = directory.entries[part] else { throw .noEntry }
      guard next.kind == .directory else { throw .notDirectory }
      directory = next
    }
    if let found = directory.entries[name] {
      if mode == .createNew { throw .exists }
      return PosixFile(found, process)
    }
    guard makes else { throw .noEntry }
    if disk.faults.isFull, World.current.chance(4) { throw .noSpace }
    let stamp = process.machine.stampNow
    let made = disk.make(.regular, mode: permissions, stamp)
    disk.link(made, in: directory, as: name, stamp)
    return PosixFile(made, process)
  }

  /// By chance there is no such thing, so that both ways are gone.
  package func openNameless(permissions: UInt32) throws(Errno) -> (any File)? {
    try process.call("open nameless", changes: true)
    try failNow()
    if World.current.chance(4) { return nil }
    if disk.faults.isFull, World.current.chance(4) { throw .noSpace }
    return PosixFile(disk.makeNameless(mode: permissions, process.machine.stampNow), process)
  }

  package func link(_ file: any File, as name: [UInt8]) throws(Errno) {
    guard let file = file as? PosixFile else { panic("a file of another world") }
    try process.call("link \(file.inode.number) \(text(name))", changes: true)
    try failNow()
    if inode.entries[name] != nil { throw .exists }
    let stamp = process.machine.stampNow
    file.inode.touch(stamp)
    disk.link(file.inode, in: inode, as: name, stamp)
  }

  package func openDirectory(_ path: [UInt8]) throws(Errno) -> any Directory {
    try process.call("open directory \(text(path))", changes: false)
    let found = try Self.find(path, from: start(path))
    guard found.kind == .directory else { throw .notDirectory }
    return PosixDirectory(found, process)
  }

  package func makeDirectory(_ name: [UInt8], permissions: UInt32) throws(Errno) {
    try process.call("mkdir \(text(name))", changes: true)
    try failNow()
    if inode.entries[name] != nil { throw .exists }
    let stamp = process.machine.stampNow
    disk.link(disk.make(.directory, mode: permissions, stamp), in: inode, as: name, stamp)
  }

  package func rename(
    _ name: [UInt8], to directory: any Directory, as newName: [UInt8], replacing: Bool
  ) throws(Errno) {
    try process.call("rename \(text(name)) \(text(newName))", changes: true)
    try failNow()
    guard let target = directory as? PosixDirectory else { panic("a directory of another world") }
    guard inode.entries[name] != nil else { throw .noEntry }
    if let there = target.inode.entries[newName] {
      if !replacing { throw .exists }
      if there.kind == .directory { throw .isDirectory }
    }
    disk.rename(name, in: inode, to: target.inode, as: newName, process.machine.stampNow)
  }

  package func remove(_ name: [UInt8]) throws(Errno) {
    try process.call("unlink \(text(name))", changes: true)
    try failNow()
    guard let found = inode.entries[name] else { throw .noEntry }
    if found.kind == .directory { throw .isDirectory }
    disk.unlink(name, in: inode, process.machine.stampNow)
  }

  package func removeDirectory(_ name: [UInt8]) throws(Errno) {
    try process.call("rmdir \(text(name))", changes: true)
    try failNow()
    guard let found = inode.entries[name] else { throw .noEntry }
    guard found.kind == .directory else { throw .notDirectory }
    guard found.entries.isEmpty else { throw .notEmpty }
    disk.unlink(name, in: inode, process.machine.stampNow)
  }

  package func status(_ path: [UInt8], followLinks: Bool) throws(Errno) -> FileStatus {
    try process.call("stat \(text(path))", changes: false)
    return try Self.find(path, from: start(path)).status(device: process.machine.number)
  }

  package func reader() throws(Errno) -> any DirectoryReader {
    try process.call("readdir", changes: false)
    return SimDirectoryReader(
      inode.entries.keys.sorted(by: Disk.isOrdered).map { name in
        DirectoryEntry(name: name, kind: inode.entries[name]?.kind)
      })
  }

  package func sync() throws(Errno) {
    try process.call("fsync directory \(inode.number)", changes: true)
    if World.current.chance(disk.faults.sync) {
      disk.refusedSyncs += 1
      throw .inputOutput
    }
    disk.sync(inode)
  }

  package func requireWritable() throws(Errno) {}

  package func syncFileSystem() throws(Errno) {
    try process.call("syncfs", changes: true)
    guard disk.syncAll(World.current) else {
      disk.hasRefusedToSyncAll = true
      throw .inputOutput
    }
  }

  package func freeSpace() throws(Errno) -> UInt64 {
    try process.call("statvfs", changes: false)
    return disk.faults.isFull ? 0 : 1 << 40
  }

  private func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}

final class SimDirectoryReader: DirectoryReader {
  private var rest: ArraySlice<DirectoryEntry>

  init(_ entries: [DirectoryEntry]) { rest = entries[...] }

  func next() throws(Errno) -> DirectoryEntry? { rest.popFirst() }
}
