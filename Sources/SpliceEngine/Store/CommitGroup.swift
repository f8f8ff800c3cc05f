// Whole files get their names: one round of syncs for all that are ready.

package import SpliceCore
package import SpliceSystem
internal import SpliceWire

/// A stage that holds its whole file, and where that goes.
package struct CommitPlan {
  package let stage: Stage
  /// The sender's proof of the whole file.
  package let claim: PrefixProof
  package let directory: any Directory
  package let name: [UInt8]
  /// False: fail with EXISTS when the name is taken.
  package let isReplacing: Bool

  package init(stage: Stage, claim: PrefixProof, directory: any Directory, name: [UInt8], isReplacing: Bool) {
    self.stage = stage
    self.claim = claim
    self.directory = directory
    self.name = name
    self.isReplacing = isReplacing
  }

  /// There is a file that is to make way.
  fileprivate func replaces() throws(StoreError) -> Bool {
    guard isReplacing else { return false }
    do throws(Errno) { return try directory.has(name) } catch { throw StoreError(error, otherwise: .writeFailed) }
  }
}

/// Where the files of one group go: those of a tree go one after the other into one folder, which is opened once.
///
/// Never of two groups: the kernel tells each descriptor once of what could not be written, so of two groups that sync by
/// the same one only the first would hear of it. All are opened before anything is synced.
package struct CommitFolders {
  private var last: (path: [UInt8], directory: any Directory)?

  /// The folder at `path`, which `open` opens.
  mutating func folder(
    at path: [UInt8], _ open: () throws(Errno) -> any Directory
  ) throws(Errno) -> any Directory {
    if let last, last.path == path { return last.directory }
    let directory = try open()
    last = (path, directory)
    return directory
  }
}

/// The folders of one round: what is committed and what is kept are two groups.
package struct RoundFolders {
  package var ofCommits = CommitFolders()
  package var ofKeeps = CommitFolders()
}

/// The order of a commit, for one file or many: a name in the stage's folder where it takes one, attributes, data on
/// stable storage, names, names on stable storage. Nobody may be told of a file before the last step.
///
/// Blocking. Stages of a group are not used by anybody else meanwhile.
struct CommitGroup {
  private struct Member {
    let plan: CommitPlan
    var device: UInt64 = 0
    var status: FileStatus?
    var failure: StoreError?
  }

  /// From so many files on, one sync of the file system is cheaper than two syncs a file. It also waits for
  /// what others have written there, which a single file should not have to.
  static let wholeFileSystemMin = 4

  private var members: [Member]

  private init(_ plans: [CommitPlan]) { members = plans.map { Member(plan: $0) } }

  /// Returns a status, or what went wrong, for each plan. Everything about a file with a status is durable.
  static func commit(_ plans: [CommitPlan]) -> [Result<FileStatus, StoreError>] {
    var group = CommitGroup(plans)
    let isTogether = plans.count >= wholeFileSystemMin
    group.nameWhatNeedsIt(isTogether: isTogether)
    group.seal()
    if isTogether { group.syncTogether() } else { group.syncEach() }
    for member in group.members where member.failure == nil { member.plan.stage.letGo() }
    return group.members.map { member in
      if let failure = member.failure { return .failure(failure) }
      guard let status = member.status else { return .failure(StoreError(.writeFailed)) }
      return .success(status)
    }
  }

  private mutating func forEach(_ body: (inout Member) throws(StoreError) -> Void) {
    for index in members.indices where members[index].failure == nil {
      do throws(StoreError) { try body(&members[index]) } catch { members[index].failure = error }
    }
  }

  /// A sync of one file without a name need not write anything, and on btrfs it does not. And only a file that has one
  /// can take another's place.
  private mutating func nameWhatNeedsIt(isTogether: Bool) {
    forEach { (member) throws(StoreError) in
      if isTogether { guard try member.plan.replaces() else { return } }
      try member.plan.stage.nameData()
    }
  }

  /// All stages of a daemon share a folder, which is asked once.
  private mutating func seal() {
    var known: (folder: any Directory, device: UInt64)?
    forEach { (member) throws(StoreError) in
      try member.plan.stage.seal(member.plan.claim)
      let folder = member.plan.stage.folder
      if let known, known.folder === folder { return member.device = known.device }
      do throws(Errno) {
        member.device = try SpliceEngine.device(of: folder)
      } catch {
        throw StoreError(error, otherwise: .writeFailed)
      }
      known = (folder, member.device)
    }
  }

  private mutating func install() {
    forEach { (member) throws(StoreError) in
      let plan = member.plan
      member.status = try plan.stage.install(in: plan.directory, as: plan.name, replacing: plan.isReplacing)
    }
  }

  private mutating func syncEach() {
    forEach { (member) throws(StoreError) in
      try member.plan.stage.sync { (file) throws(Errno) in try file.sync() }
    }
    install()
    forEach { (member) throws(StoreError) in try member.plan.stage.syncMode() }
    var folders = SharedSyncs<Int32>()
    forEach { (member) throws(StoreError) in
      let folder = member.plan.directory
      do throws(Errno) {
        try folders.once(folder.descriptor) { () throws(Errno) in try folder.sync() }
      } catch {
        throw StoreError(error, otherwise: .writeFailed)
      }
    }
  }

  private mutating func syncTogether() {
    forEach { (member) throws(StoreError) in member.plan.stage.startSync() }
    let ofData = syncFileSystems()
    forEach { (member) throws(StoreError) in
      guard let synced = ofData.first(where: { $0.device == member.device }) else {
        // Where it is to go is another file system than where it is.
        throw StoreError(.crossDevice, otherwise: .writeFailed)
      }
      try member.plan.stage.sync { (file) throws(Errno) in
        if let error = synced.error { throw error }
        // A failed write may have been reported to somebody else's sync; the file itself remembers it too.
        try file.waitForWriteback(from: 0, count: 0)
      }
    }
    install()
    let ofNames = syncFileSystems()
    forEach { (member) throws(StoreError) in
      let synced = ofNames.first { $0.device == member.device }
      if let error = synced == nil ? .crossDevice : synced?.error { throw StoreError(error, otherwise: .writeFailed) }
    }
  }

  /// Returns the devices that were synced, and what went wrong there.
  private func syncFileSystems() -> [(device: UInt64, error: Errno?)] {
    var synced: [(device: UInt64, error: Errno?)] = []
    for member in members where member.failure == nil && !synced.contains(where: { $0.device == member.device }) {
      let directory = member.plan.directory
      do throws(Errno) {
        // Where something else is mounted at the destination, the file will not get its name, and this is not the
        // file system that its neighbours need.
        guard try SpliceEngine.device(of: directory) == member.device else { continue }
        try directory.syncFileSystem()
        synced.append((member.device, nil))
      } catch {
        synced.append((member.device, error))
      }
    }
    return synced
  }
}
