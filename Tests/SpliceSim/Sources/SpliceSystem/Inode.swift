// One file or directory twice: as the kernel's caches show it, and as it is on stable storage.

package import SpliceBase

/// Size, times and permissions.
package struct Metadata: Equatable {
  package var mode: UInt32
  package var modified: Timestamp
  package var changed: Timestamp
}

package final class Inode {
  static let pageSize = 4096
  private static let pagesPerChunk = Content.chunkSize / pageSize

  package let number: UInt64
  package let kind: FileKind
  /// What every process of the machine sees.
  package private(set) var cached = Content()
  /// What a power cut leaves.
  package private(set) var stable = Content()
  var metadata: Metadata
  private(set) var stableMetadata: Metadata
  /// Names, for a directory.
  package var entries: [[UInt8]: Inode] = [:]
  package internal(set) var stableEntries: [[UInt8]: Inode] = [:]
  /// Made without a name, and has none yet.
  var isNameless = false
  /// The open file that holds the lock.
  weak var lock: OpenFile?
  /// Rises with every change of what is seen, and of what is stable.
  package private(set) var revision = 0 { didSet { Self.mutations += 1 } }
  package private(set) var stableRevision = 0 { didSet { Self.mutations += 1 } }
  /// Changes of anything on any disk, so that checkers need not look when there was none.
  nonisolated(unsafe) package static var mutations = 0
  /// One bit a page that the cache has and the disk does not.
  private var dirty: [UInt16] = []
  /// Stable bytes from here on are stale: the file was shorter at a time since the last sync.
  private var lowWater = Int.max
  private var isMetadataDirty = false
  private(set) var hasWriteError = false
  /// The lowest offset that was read since somebody asked for it to be noted.
  package var lowestRead = Int.max

  init(_ number: UInt64, _ kind: FileKind, _ metadata: Metadata) {
    self.number = number
    self.kind = kind
    self.metadata = metadata
    stableMetadata = metadata
  }

  // MARK: Changing

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int, _ stamp: Timestamp) {
    if !bytes.isEmpty {
      if offset + bytes.count > cached.size { isMetadataDirty = true }
      cached.write(bytes, at: offset)
      mark(offset..<offset + bytes.count)
    }
    metadata.modified = stamp
    touch(stamp)
  }

  func resize(to size: Int, _ stamp: Timestamp) {
    if size < cached.size {
      lowWater = min(lowWater, size)
      let chunks = (size + Content.chunkSize - 1) / Content.chunkSize
      if dirty.count > chunks { dirty.removeLast(dirty.count - chunks) }
      // The rest of the page in which the file now ends is zeroed in the cache.
      if size % Self.pageSize > 0 { mark(size - 1..<size) }
    }
    cached.resize(to: size)
    metadata.modified = stamp
    touch(stamp)
  }

  func touch(_ stamp: Timestamp) {
    metadata.changed = stamp
    isMetadataDirty = true
    revision += 1
  }

  private func mark(_ range: Range<Int>) {
    let chunks = (range.upperBound + Content.chunkSize - 1) / Content.chunkSize
    while dirty.count < chunks { dirty.append(0) }
    for page in range.lowerBound / Self.pageSize...(range.upperBound - 1) / Self.pageSize {
      dirty[page / Self.pagesPerChunk] |= 1 << UInt16(page % Self.pagesPerChunk)
    }
  }

  /// Calls `body` with each dirty page's range, whole chunks as one; clears those for which it returns true.
  private func forEachDirty(_ body: (Range<Int>) -> Void) {
    for index in dirty.indices where dirty[index] != 0 {
      let start = index * Content.chunkSize
      if dirty[index] == .max {
        body(start..<start + Content.chunkSize)
        continue
      }
      for bit in 0..<Self.pagesPerChunk where dirty[index] & 1 << UInt16(bit) != 0 {
        body(start + bit * Self.pageSize..<start + (bit + 1) * Self.pageSize)
      }
    }
  }

  // MARK: Stable storage

  /// - Parameter all: times and permissions too, not only what finds the bytes again.
  func sync(all: Bool) {
    let isSizeDirty = lowWater < Int.max || stable.size != cached.size
    if isSizeDirty { takeSize(cached.size) }
    forEachDirty { stable.take($0, from: cached) }
    dirty.removeAll(keepingCapacity: true)
    if all || isSizeDirty { takeMetadata() }
    stableRevision += 1
  }

  private func takeSize(_ size: Int) {
    if lowWater < stable.size { stable.resize(to: lowWater) }
    lowWater = .max
    stable.resize(to: size)
  }

  private func takeMetadata() {
    stableMetadata = metadata
    isMetadataDirty = false
  }

  /// A sync that fails: some pages got through, the others are dropped. They are clean now, so the next sync
  /// will not try them again.
  func syncFailing(_ world: World) {
    if world.chance(2) { takeSize(cached.size) }
    let limit = stable.size
    forEachDirty { if $0.upperBound <= limit, world.chance(2) { stable.take($0, from: cached) } }
    dirty.removeAll(keepingCapacity: true)
    stableRevision += 1
  }

  /// Writes that nobody waits for: one that fails is told to whoever asks this file next, once.
  func writeBack(_ world: World, _ odds: UInt64) {
    guard dirty.contains(where: { $0 != 0 }), world.chance(odds) else { return }
    syncFailing(world)
    hasWriteError = true
  }

  func takeWriteError() -> Bool {
    defer { hasWriteError = false }
    return hasWriteError
  }

  /// The cache forgets what it believes to be on the disk.
  func dropClean() {
    var kept: [(Range<Int>, Content)] = []
    let before = cached
    forEachDirty { kept.append(($0, before)) }
    let size = cached.size
    var fresh = stable
    if lowWater < fresh.size { fresh.resize(to: lowWater) }
    fresh.resize(to: size)
    for (range, content) in kept { fresh.take(range, from: content) }
    cached = fresh
    revision += 1
  }

  /// How much of what was not synced a power cut leaves.
  enum Loss {
    case nothing, all, some
    /// The file system's own log is whole, and with it names, sizes, times and files of one page, but the pages
    /// of longer files may be anything between written and not: what ext4 leaves without ordered data.
    case pages
  }

  func cutPower(_ loss: Loss, _ world: World) {
    switch loss {
    case .nothing: sync(all: true)
    case .all: break
    case .some: loseSome(world)
    case .pages: if cached.size > Self.pageSize { losePages(world) } else { sync(all: true) }
    }
    cached = stable
    metadata = stableMetadata
    entries = stableEntries
    dirty.removeAll()
    lowWater = .max
    isMetadataDirty = false
    revision += 1
    stableRevision += 1
  }

  private func loseSome(_ world: World) {
    let hadSize = stable.size
    var isNew = false
    if isMetadataDirty, world.chance(2) {
      isNew = true
      var size = cached.size
      // Appended bytes reach the disk in steps.
      if size > hadSize, lowWater == .max, world.chance(3) {
        size = hadSize + Int(world.below(UInt64(size - hadSize)))
      }
      takeSize(size)
      takeMetadata()
    }
    takePages(world, below: isNew ? stable.size : min(lowWater, hadSize), isNew: isNew)
  }

  private func losePages(_ world: World) {
    takeSize(cached.size)
    takeMetadata()
    takePages(world, below: stable.size, isNew: true)
  }

  /// Some of the dirty pages reach the disk.
  private func takePages(_ world: World, below limit: Int, isNew: Bool) {
    let odds: UInt64 = world.pick([2, 2, 8])
    forEachDirty { range in
      var start = range.lowerBound
      while start < range.upperBound {
        let end = start + Self.pageSize
        if world.chance(odds), start < limit, isNew || end <= limit {
          if world.chance(10) {
            // Torn: only some of the sectors of the page.
            let part = (1 + Int(world.below(7))) * 512
            stable.take(start..<start + part, from: cached)
          } else {
            stable.take(start..<end, from: cached)
          }
        }
        start = end
      }
    }
  }

  package var changed: Timestamp { metadata.changed }

  /// One byte changes, by a write of another program. Its time is on the disk no later than the byte: nobody can
  /// tell of one without the other.
  package func scribble(at offset: Int, _ stamp: Timestamp) {
    var byte: UInt8 = 0
    withUnsafeMutableBytes(of: &byte) { _ = cached.read(into: $0, at: offset) }
    byte ^= 0x55
    withUnsafeBytes(of: byte) { write($0, at: offset, stamp) }
    takeMetadata()
    stableRevision += 1
  }

  /// For what the world does itself: all of it is stable at once.
  package func set(_ bytes: [UInt8], modified: Timestamp, mode: UInt32, stamp: Timestamp) {
    cached = Content(bytes)
    stable = cached
    dirty.removeAll()
    lowWater = .max
    metadata = Metadata(mode: mode, modified: modified, changed: stamp)
    takeMetadata()
    revision += 1
    stableRevision += 1
  }
}
