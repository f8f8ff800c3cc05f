// What was promised, and whether it still holds: the checkers of the simulation.

internal import SpliceBase
internal import SpliceCore
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceWire

/// The first `bytes` bytes of `version` were acknowledged as durable.
final class Promise {
  let bytes: Int
  let version: Version
  /// Where they were found last, so that they are not compared again.
  fileprivate var proved: (inode: Inode, stableRevision: Int)?

  init(_ bytes: Int, of version: Version) {
    self.bytes = bytes
    self.version = version
  }
}

/// Everything that clients were told about one path of the server.
final class PathRecord {
  let name: String
  let stagePath: String
  let journalPath: String
  /// Every content that this path ever had or was offered.
  var versions: [Version] = []
  /// What the present upload was promised last, and no commit has used up.
  var promise: Promise?
  /// An earlier upload's promise, whose file got its name without a receipt. It holds until another file that
  /// was asked for has that name.
  fileprivate var finished: Promise?
  /// Somebody wrote into the stage; until an upload goes on, nothing is promised about it.
  var isMeddledWith = false
  /// What a receipt named last, or what was there before the simulation began.
  var receipt: Version?
  /// COMMIT was sent for these since: the path may show them, but nobody has the server's word for it.
  var candidates: [Version] = []
  /// What readers see, since when.
  var history: [(time: UInt64, version: Version)] = []
  var visible: Version?
  fileprivate var seen: (inode: Inode, revision: Int)?
  fileprivate var provedStable: (inode: Inode, revision: Int, receipt: Version, candidates: Int)?
  /// What its journal on stable storage was found to vouch for last.
  fileprivate var vouched: (journal: Inode?, stableRevision: Int, bytes: Int) = (nil, 0, 0)

  init(_ name: String) {
    self.name = name
    let id = Store.stageID(WirePath([UInt8](name.utf8))!)
    let stage = "srv/.splice/stage/" + String(decoding: id, as: UTF8.self)
    stagePath = stage + ".data"
    journalPath = stage + ".journal"
  }
}

/// Compares what was said on the wire and to the user with what is on the disks.
final class Ledger {
  private let world: World
  private let server: Machine
  private(set) var paths: [PathRecord] = []
  /// The server's disk refuses what cleans up behind a failed sync.
  var refusesCleanUp = false
  /// The server's disk has refused a sync and then what cleans up behind it, which may be the next sync: then bytes
  /// that were promised may be asked for again. What is on stable storage of them is still checked, until then.
  private var mayForget: Bool { refusesCleanUp || server.disk.refusedSyncs >= 2 }
  /// Nobody writes to the server's disk but a daemon that is never killed inside a write, and its clock is right.
  var onlyPowerFails = false
  private var seenRevision = -1
  private var checkedMutations = -1

  init(_ world: World, _ server: Machine) {
    self.world = world
    self.server = server
  }

  func path(_ name: String) -> PathRecord {
    if let found = paths.first(where: { $0.name == name }) { return found }
    let made = PathRecord(name)
    paths.append(made)
    return made
  }

  func find(_ name: String) -> PathRecord? { paths.first { $0.name == name } }

  private func text(_ version: Version?) -> String {
    version.map { "version \($0.number) (\($0.size) bytes)" } ?? "nothing"
  }

  // MARK: What the server says

  /// `bytes` bytes of `version` are durable, the server says.
  func acknowledged(_ bytes: Int, of version: Version, at path: PathRecord) {
    if let promise = path.promise, promise.bytes >= bytes { return }
    // What came of a file that was overwritten while it was read is no version at all.
    if version.isOverwritten || path.isMeddledWith { return }
    path.promise = Promise(bytes, of: version)
    checkStable(path)
  }

  /// An offer was made: what is read of the unfinished file from now on is read to answer it.
  func offered(_ path: PathRecord) { server.disk.find(path.stagePath)?.lowestRead = .max }

  /// The daemon said what it holds.
  ///
  /// What a power cut could not take back is not read again to say so.
  func proved(_ path: PathRecord) {
    guard onlyPowerFails, let promise = path.promise, let stage = server.disk.find(path.stagePath) else { return }
    if stage.lowestRead < min(promise.bytes, stage.cached.size) {
      world.fail("\(path.name): it was read from \(stage.lowestRead) on, where \(promise.bytes) bytes were durable")
    }
  }

  /// The client goes on at `offset` with `version`.
  ///
  /// Less than was promised is right only where the new content differs from the promised one: then what both
  /// have in common, in whole blocks, must be kept.
  func resumed(_ offset: Int, with version: Version, at path: PathRecord) {
    path.isMeddledWith = false
    guard let promise = path.promise else { return }
    if path.visible?.isSame(promise.version) == true {
      // A new upload beside the finished file. What it is promised from now on must not be hidden by the old.
      path.finished = promise
      path.promise = nil
      return
    }
    let block = Int(Limits.blockSize)
    var due = promise.bytes
    if promise.version !== version {
      due = min(due, promise.version.commonPrefix(version) / block * block)
    }
    if version.isOverwritten || mayForget { due = 0 }
    if offset < due {
      world.fail(
        "\(path.name): \(promise.bytes) bytes of \(text(promise.version)) were acknowledged as durable, "
          + "\(due) of them are in \(text(version)), but the upload goes on at \(offset)")
    }
    if offset < promise.bytes {
      path.promise = offset > 0 ? Promise(offset, of: version) : nil
    } else if promise.version !== version, !version.isOverwritten {
      // Both begin alike; what becomes of the promise is what becomes of this one.
      path.promise = Promise(promise.bytes, of: version)
    }
  }

  func commitAsked(_ version: Version, at path: PathRecord) { path.candidates.append(version) }

  /// COMMITTED was sent.
  func committed(_ version: Version, at path: PathRecord) {
    checkVisible()
    if path.visible?.isSame(version) != true {
      world.fail("\(path.name): receipt for \(text(version)), but there is \(text(path.visible))")
    }
    confirm(version, at: path)
  }

  private func confirm(_ version: Version, at path: PathRecord) {
    path.receipt = version
    path.candidates = []
    path.promise = nil
    path.finished = nil
    checkStable(path)
  }

  /// The client told its user that the server had the very file, durably.
  func alreadyThere(_ version: Version, at path: PathRecord) {
    checkVisible()
    if path.visible?.isSame(version) == true { confirm(version, at: path) }
  }

  /// Another program on the server's machine changed the file.
  func placed(_ version: Version, at path: PathRecord) {
    path.versions.append(version)
    path.receipt = version
    path.candidates = []
    path.finished = nil
  }

  // MARK: What is on the server's disk

  /// After every step and before every system call.
  func check() {
    if Inode.mutations == checkedMutations { return }
    checkedMutations = Inode.mutations
    checkVisible()
    for path in paths { checkStable(path) }
  }

  /// Readers see whole versions, never anything else, and never less than the last receipt.
  func checkVisible() {
    for path in paths {
      let inode = server.disk.find("srv/" + path.name)
      guard let inode else {
        if path.receipt != nil { world.fail("\(path.name) is gone") }
        path.visible = nil
        path.seen = nil
        continue
      }
      if let seen = path.seen, seen.inode === inode, seen.revision == inode.revision { continue }
      path.seen = (inode, inode.revision)
      let allowed = path.candidates + (path.receipt.map { [$0] } ?? [])
      guard let version = allowed.first(where: { inode.cached.isEqual(to: $0.bytes) }) else {
        let other = path.versions.first { inode.cached.isEqual(to: $0.bytes) }
        world.fail(
          "\(path.name): readers see \(inode.cached.size) bytes that are "
            + (other.map { "the old \(text($0))" } ?? "no version of the file"))
        continue
      }
      if !inode.stable.isEqual(to: version.bytes) {
        world.fail("\(path.name): a power cut now could leave its name on bytes that are lost")
      }
      if path.visible !== version { path.history.append((world.now, version)) }
      path.visible = version
    }
    checkStrays()
  }

  private func checkStrays() {
    guard server.disk.revision != seenRevision else { return }
    seenRevision = server.disk.revision
    for name in server.disk.find("srv")?.entries.keys ?? [:].keys {
      let text = String(decoding: name, as: UTF8.self)
      let isFolder = paths.contains { $0.name.hasPrefix(text + "/") }
      if text != ".splice", find(text) == nil, !isFolder { world.fail("a stray file '\(text)' is visible") }
    }
  }

  /// What a power cut in this very moment would leave keeps every promise.
  private func checkStable(_ path: PathRecord) {
    let disk = server.disk
    let named = disk.find("srv/" + path.name, stable: true)
    if let receipt = path.receipt {
      guard let named else { return world.fail("\(path.name): a power cut now would lose \(text(receipt))") }
      let proved = path.provedStable
      if proved?.inode !== named || proved?.revision != named.stableRevision || proved?.receipt !== receipt
        || proved?.candidates != path.candidates.count
      {
        guard (path.candidates + [receipt]).contains(where: { named.stable.isEqual(to: $0.bytes) }) else {
          return world.fail(
            "\(path.name): after a power cut now there would be neither \(text(receipt)) "
              + "nor anything newer, but \(named.stable.size) other bytes")
        }
        path.provedStable = (named, named.stableRevision, receipt, path.candidates.count)
      }
    }
    let staged = disk.find(path.stagePath, stable: true)
    if mayForget, disk.find(path.stagePath) == nil { path.promise = nil }
    if let promise = path.promise {
      prove(promise, at: path, [staged, named])
      if let staged, promise.proved?.inode === staged { checkVouched(promise, at: path) }
    }
    guard let finished = path.finished else { return }
    if finished.proved?.inode !== named, let named,
      path.candidates.contains(where: { $0 !== finished.version && named.stable.isEqual(to: $0.bytes) })
    {
      path.finished = nil
    } else {
      prove(finished, at: path, [staged, named])
    }
  }

  private func prove(_ promise: Promise, at path: PathRecord, _ places: [Inode?]) {
    for case let inode? in places {
      if let proved = promise.proved, proved.inode === inode, proved.stableRevision == inode.stableRevision { return }
      if inode.stable.hasPrefix(promise.version.bytes, count: promise.bytes) {
        promise.proved = (inode, inode.stableRevision)
        return
      }
    }
    let left = places.map { inode in
      inode.map { "\($0.stable.commonPrefix(promise.version.bytes, count: promise.bytes)) of \($0.stable.size) bytes" }
        ?? "nothing"
    }
    world.fail(
      "\(path.name): \(promise.bytes) bytes of \(text(promise.version)) were acknowledged as durable, "
        + "but a power cut now would leave \(left[0]) in the stage and \(left[1]) under its name")
  }

  /// After a power cut in this very moment nothing that was promised had to be read again to be believed. What is read
  /// again can be lost once more, by a sync that fails.
  private func checkVouched(_ promise: Promise, at path: PathRecord) {
    // What cleans up behind a failed sync writes the journal anew.
    let disk = server.disk
    if disk.refusedSyncs > 0 || disk.hasRefusedToSyncAll || disk.hasToldOfAFailedWrite { return }
    let journal = server.disk.find(path.journalPath, stable: true)
    let revision = journal?.stableRevision ?? 0
    if path.vouched.journal !== journal || path.vouched.stableRevision != revision {
      path.vouched = (journal, revision, StableJournal.durableBytes(journal))
    }
    if path.vouched.bytes < promise.bytes {
      world.fail(
        "\(path.name): \(promise.bytes) bytes of \(text(promise.version)) were acknowledged as durable, "
          + "but after a power cut now the journal would vouch for \(path.vouched.bytes) only")
    }
  }

  // MARK: What is on a client's disk

  /// A download was called done: the whole of a version that readers could see since `start`.
  func downloaded(_ path: PathRecord, to local: String, on machine: Machine, since start: UInt64) {
    guard let inode = machine.disk.find(local), let stable = machine.disk.find(local, stable: true) else {
      return world.fail("\(local) was called done, but a power cut now would leave nothing of it")
    }
    var served: [Version] = []
    for (index, entry) in path.history.enumerated() {
      let end = index + 1 < path.history.count ? path.history[index + 1].time : .max
      if end >= start { served.append(entry.version) }
    }
    guard let version = served.first(where: { inode.cached.isEqual(to: $0.bytes) }) else {
      return world.fail("\(local) was called done, but its \(inode.cached.size) bytes are no version served")
    }
    if !stable.stable.isEqual(to: version.bytes) {
      world.fail("\(local) was called done, but a power cut now would damage it")
    }
  }
}
