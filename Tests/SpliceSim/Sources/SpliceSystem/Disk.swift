// A file system that keeps only what it was asked to keep.

package import SpliceBase

/// What goes wrong with a disk, each once in so many calls; 0 = never.
package struct DiskFaults {
  package var read: UInt64 = 0
  package var write: UInt64 = 0
  package var sync: UInt64 = 0
  /// Whoever is refused a sync is killed soon after it, while it cleans up.
  package var killsTheRefused = false
  /// With the first refusal the disk is well again.
  package var refusesOnce = false
  package var name: UInt64 = 0
  package var isFull = false

  package init() {}
}

/// Names, inodes, and the changes of names that are not on stable storage yet.
///
/// Modelled on what POSIX promises and no more: a name is stable when its directory was synced. A change of
/// names that was not synced may survive a power cut or not, each by itself, but not before an earlier one
/// of the same name; a rename is never half done.
package final class Disk {
  private struct Nameless {
    weak var inode: Inode?
  }

  private struct NameChange {
    /// What each name means afterwards; nil: nothing.
    var effects: [(directory: Inode, name: [UInt8], inode: Inode?)]

    func touches(_ other: NameChange) -> Bool {
      effects.contains { mine in
        other.effects.contains { $0.directory === mine.directory && $0.name == mine.name }
      }
    }
  }

  let device: UInt64
  package let root: Inode
  package var faults = DiskFaults()
  /// Syncs of files and directories that have failed so far.
  package internal(set) var refusedSyncs = 0
  package internal(set) var hasRefusedToSyncAll = false
  /// Somebody who waited for the writes of a file was told that one has failed: as good as a refused sync of it.
  package internal(set) var hasToldOfAFailedWrite = false
  private var pending: [NameChange] = []
  /// Made without a name, while somebody has them open or they have got one.
  private var nameless: [Nameless] = []
  private var lastInode: UInt64 = 1
  /// Rises with every change of a name, as seen and as stable.
  package private(set) var revision = 0 { didSet { Inode.mutations += 1 } }

  init(device: UInt64) {
    self.device = device
    let epoch = Timestamp(seconds: 0, nanoseconds: 0)
    root = Inode(1, .directory, Metadata(mode: 0o755, modified: epoch, changed: epoch))
  }

  // MARK: Names

  func make(_ kind: FileKind, mode: UInt32, _ stamp: Timestamp) -> Inode {
    lastInode += 1
    return Inode(lastInode, kind, Metadata(mode: mode, modified: stamp, changed: stamp))
  }

  func makeNameless(mode: UInt32, _ stamp: Timestamp) -> Inode {
    let inode = make(.regular, mode: mode, stamp)
    inode.isNameless = true
    nameless.removeAll { $0.inode == nil }
    nameless.append(Nameless(inode: inode))
    return inode
  }

  func link(_ inode: Inode, in directory: Inode, as name: [UInt8], _ stamp: Timestamp) {
    directory.entries[name] = inode
    inode.isNameless = false
    change(NameChange(effects: [(directory, name, inode)]), [directory], stamp)
  }

  func unlink(_ name: [UInt8], in directory: Inode, _ stamp: Timestamp) {
    directory.entries[name] = nil
    change(NameChange(effects: [(directory, name, nil)]), [directory], stamp)
  }

  func rename(
    _ name: [UInt8], in directory: Inode, to target: Inode, as newName: [UInt8], _ stamp: Timestamp
  ) {
    guard let inode = directory.entries[name] else { return }
    target.entries[newName] = inode
    directory.entries[name] = nil
    inode.touch(stamp)
    change(
      NameChange(effects: [(target, newName, inode), (directory, name, nil)]), [directory, target], stamp)
  }

  private func change(_ change: NameChange, _ directories: [Inode], _ stamp: Timestamp) {
    pending.append(change)
    for directory in directories {
      directory.metadata.modified = stamp
      directory.touch(stamp)
    }
    revision += 1
  }

  func sync(_ directory: Inode) {
    keep { $0.effects.contains { $0.directory === directory } }
  }

  /// Makes the chosen changes stable, and those before them that they build on.
  private func keep(_ isChosen: (NameChange) -> Bool) {
    var chosen = pending.map(isChosen)
    for index in pending.indices.reversed() where chosen[index] {
      for earlier in 0..<index where !chosen[earlier] && pending[earlier].touches(pending[index]) {
        chosen[earlier] = true
      }
    }
    var rest: [NameChange] = []
    for (index, change) in pending.enumerated() {
      guard chosen[index] else {
        rest.append(change)
        continue
      }
      for effect in change.effects { effect.directory.stableEntries[effect.name] = effect.inode }
    }
    pending = rest
    revision += 1
  }

  // MARK: Power

  func cutPower(_ world: World) {
    let loss = world.pick([Inode.Loss.nothing, .all, .some, .some, .pages, .pages])
    switch loss {
    case .nothing, .pages: keep { _ in true }
    case .all: break
    case .some: keep { _ in world.chance(2) }
    }
    for inode in allInodes() { inode.cutPower(loss, world) }
    pending = []
    faults = DiskFaults()
    revision += 1
  }

  /// Everything that is open, or seen or stable under some name, in one order.
  private func allInodes() -> [Inode] {
    var seen: [UInt64: Inode] = [:]
    var queue = [root] + nameless.compactMap { $0.inode }
    while let inode = queue.popLast() {
      guard seen.updateValue(inode, forKey: inode.number) == nil else { continue }
      // In an order that does not depend on how a dictionary happens to be laid out.
      for name in inode.entries.keys.sorted(by: Self.isOrdered) { queue.append(inode.entries[name]!) }
      for name in inode.stableEntries.keys.sorted(by: Self.isOrdered) { queue.append(inode.stableEntries[name]!) }
    }
    return seen.keys.sorted().map { seen[$0]! }
  }

  /// All files and all names. Returns false when the kernel says that a write has failed; it may also say so
  /// only to those who ask that file.
  func syncAll(_ world: World) -> Bool {
    var isGood = true
    for inode in allInodes() {
      inode.writeBack(world, faults.sync)
      if inode.hasWriteError, world.chance(2) { isGood = false }
      inode.sync(all: true)
    }
    keep { _ in true }
    return isGood
  }

  package static func isOrdered(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.lexicographicallyPrecedes(right)
  }

  // MARK: For the world

  /// The inode at a path, as the cache or the stable storage has it.
  package func find(_ path: String, stable: Bool = false) -> Inode? {
    var inode = root
    for component in path.split(separator: "/") {
      guard let next = (stable ? inode.stableEntries : inode.entries)[Array(component.utf8)] else { return nil }
      inode = next
    }
    return inode
  }

  /// Makes the directories of a path, stable at once.
  @discardableResult
  package func makePath(_ path: String) -> Inode {
    var inode = root
    for component in path.split(separator: "/") {
      let name = Array(component.utf8)
      if let next = inode.entries[name] {
        inode = next
      } else {
        let made = make(.directory, mode: 0o755, Timestamp(seconds: 1, nanoseconds: 0))
        inode.entries[name] = made
        inode.stableEntries[name] = made
        inode = made
      }
    }
    revision += 1
    return inode
  }

  /// What another program does: puts a file there by a rename, or writes into the one that is there.
  package func place(
    _ bytes: [UInt8], at path: String, modified: Timestamp, stamp: Timestamp, inPlace: Bool = false
  ) {
    let parts = path.split(separator: "/")
    let directory = makePath(parts.dropLast().joined(separator: "/"))
    let name = Array(parts[parts.count - 1].utf8)
    let inode: Inode
    if inPlace, let existing = directory.entries[name] {
      inode = existing
    } else {
      inode = make(.regular, mode: 0o644, stamp)
      // What was pending for the name is settled by it.
      pending.removeAll { $0.effects.contains { $0.directory === directory && $0.name == name } }
      directory.entries[name] = inode
      directory.stableEntries[name] = inode
    }
    inode.set(bytes, modified: modified, mode: 0o644, stamp: stamp)
    revision += 1
  }
}
