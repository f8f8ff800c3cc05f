// A file of the simulated disk, with the face of the real PosixFile.

package import SpliceBase

/// An open file description: goes away with its process.
final class OpenFile {
  let inode: Inode

  init(_ inode: Inode) { self.inode = inode }

  func close() {
    if inode.lock === self { inode.lock = nil }
  }
}

package final class PosixFile: File {
  package let descriptor: Int32
  private let process: SimProcess
  private let open: OpenFile
  var inode: Inode { open.inode }
  private var machine: Machine { process.machine }
  private var faults: DiskFaults { machine.disk.faults }

  package static func open(_ path: [UInt8]) throws(Errno) -> PosixFile {
    let file = try PosixDirectory.open([], confined: false).openFile(path, .read, permissions: 0)
    guard let file = file as? PosixFile else { panic("a file of another world") }
    return file
  }

  init(_ inode: Inode, _ process: SimProcess) {
    self.process = process
    open = OpenFile(inode)
    descriptor = process.open(open)
  }

  deinit { process.close(descriptor) }

  package func status() throws(Errno) -> FileStatus {
    try process.call("fstat", changes: false)
    return inode.status(device: machine.number)
  }

  package func read(into: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
    try process.call("pread \(inode.number) \(offset)+\(into.count)", changes: false)
    let world = World.current
    if world.chance(faults.read) { throw .inputOutput }
    var room = into
    if into.count > 1, world.chance(50) {
      room = UnsafeMutableRawBufferPointer(rebasing: into[..<(1 + Int(world.below(UInt64(into.count - 1))))])
    }
    let count = inode.cached.read(into: room, at: Int(clamping: offset))
    inode.lowestRead = min(inode.lowestRead, Int(clamping: offset))
    return count
  }

  package func write(
    _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64
  ) throws(Errno) {
    var position = Int(offset)
    for piece in pieces {
      try write(piece, at: UInt64(position))
      position += piece.count
    }
  }

  package func writeUncached(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
    try write(bytes, at: offset)
  }

  package func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
    let world = World.current
    // The kernel may have taken a part of it when the process dies.
    if !process.isDead, process.isCrashDue() {
      store(bytes, at: offset, count: Int(world.below(UInt64(bytes.count + 1))))
      process.crash()
    }
    try process.call("pwrite \(inode.number) \(offset)+\(bytes.count)", changes: true)
    if world.chance(faults.write) {
      store(bytes, at: offset, count: Int(world.below(UInt64(bytes.count + 1))))
      throw .inputOutput
    }
    if faults.isFull, Int(offset) + bytes.count > inode.cached.size {
      store(bytes, at: offset, count: Int(world.below(UInt64(bytes.count + 1))))
      throw .noSpace
    }
    store(bytes, at: offset, count: bytes.count)
  }

  private func store(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, count: Int) {
    inode.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: Int(offset), machine.stampNow)
  }

  package func syncData() throws(Errno) {
    try process.call("fdatasync \(inode.number)", changes: true)
    try synced(all: false)
  }

  package func sync() throws(Errno) {
    try process.call("fsync \(inode.number)", changes: true)
    try synced(all: true)
  }

  private func synced(all: Bool) throws(Errno) {
    let world = World.current
    if inode.takeWriteError() {
      throw process.refusedSync()
    }
    if world.chance(faults.sync) {
      inode.syncFailing(world)
      throw process.refusedSync()
    }
    // What has no name cannot be found after a power cut: btrfs writes nothing of it.
    if !inode.isNameless { inode.sync(all: all) }
  }

  package func startWriteback(from offset: UInt64, count: UInt64) {
    if process.isDead { return }
    inode.writeBack(World.current, faults.sync)
  }

  package func waitForWriteback(from offset: UInt64, count: UInt64) throws(Errno) {
    try process.call("sync_file_range \(inode.number)", changes: false)
    guard inode.takeWriteError() else { return }
    machine.disk.hasToldOfAFailedWrite = true
    throw .inputOutput
  }

  package func truncate(to size: UInt64) throws(Errno) {
    try process.call("ftruncate \(inode.number) \(size)", changes: true)
    if World.current.chance(faults.write) { throw .inputOutput }
    inode.resize(to: Int(size), machine.stampNow)
  }

  package func reserve(from offset: UInt64, count: UInt64) throws(Errno) -> Bool {
    try process.call("fallocate \(inode.number)", changes: true)
    if faults.isFull, count > 0 { throw .noSpace }
    inode.touch(machine.stampNow)
    return true
  }

  package func setModified(_ time: Timestamp) throws(Errno) {
    try process.call("futimens \(inode.number)", changes: true)
    inode.metadata.modified = time
    inode.touch(machine.stampNow)
  }

  package func setMode(_ mode: UInt32) throws(Errno) {
    try process.call("fchmod \(inode.number)", changes: true)
    inode.metadata.mode = mode
    inode.touch(machine.stampNow)
  }

  package func willNeed(from offset: UInt64, count: UInt64) {}

  /// By chance, so that both the way with a job and the one without are gone.
  package func isCached(from offset: UInt64, count: UInt64) -> Bool { World.current.chance(2) }

  package func dropCached() {
    if process.isDead { return }
    inode.dropClean()
  }

  package func tryLock() throws(Errno) -> Bool {
    try process.call("flock \(inode.number)", changes: false)
    if let holder = inode.lock, holder !== open { return false }
    inode.lock = open
    return true
  }
}

extension Inode {
  func status(device: UInt64) -> FileStatus {
    FileStatus(
      device: device, inode: number, size: UInt64(cached.size), mode: metadata.mode, kind: kind,
      modified: metadata.modified, changed: metadata.changed, linkCount: isNameless ? 0 : 1)
  }
}
