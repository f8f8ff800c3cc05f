// Whole files get their names, and share their syncs.

package import SpliceCore
package import SpliceSystem
internal import SpliceWire

/// A stage that holds its whole file, and where that goes.
package struct CommitPlan {
  package let stage: Stage
  /// The sender's proof of the whole file.
  package let claim: PrefixProof
  package let directory: any Directory
  /// Its path below the root, where there is one.
  package let folder: [UInt8]?
  package let name: [UInt8]
  /// False: fail with EXISTS when the name is taken.
  package let isReplacing: Bool

  package init(
    stage: Stage, claim: PrefixProof, directory: any Directory, folder: [UInt8]? = nil, name: [UInt8],
    isReplacing: Bool
  ) {
    self.stage = stage
    self.claim = claim
    self.directory = directory
    self.folder = folder
    self.name = name
    self.isReplacing = isReplacing
  }
}

/// The order of a commit, for one file or many: attributes, data on stable storage, names, names on stable
/// storage. Nobody may be told of a file before the last step.
///
/// Few files are synced one by one, with `commitEach`. Of many groups in a row each calls `giveNames` with the one before
/// it, and the last is followed by an empty one: a sync of the file system that makes the names of one group durable does
/// as much for the data of the next.
///
/// Blocking. Stages of a group are not used by anybody else meanwhile.
struct CommitGroup {
  private struct Member {
    let plan: CommitPlan
    var device: UInt64 = 0
    var status: FileStatus?
  }

  /// From so many files on, a sync of the file system is cheaper than two syncs a file. It also waits for
  /// what others have written there, which a single file should not have to.
  static let sharedMin = 4

  private var members: [Result<Member, StoreError>]

  /// - Parameter plans: or why there is none.
  init(_ plans: [Result<CommitPlan, StoreError>]) { members = plans.map { $0.map { Member(plan: $0) } } }

  /// A status, or what went wrong, for each plan. Once the last step is done, everything about a file with a status is
  /// durable.
  var results: [Result<FileStatus, StoreError>] {
    members.map { member in
      member.flatMap { member in
        guard let status = member.status else { return .failure(StoreError(.writeFailed)) }
        return .success(status)
      }
    }
  }

  /// All steps, one file after the other.
  mutating func commitEach() {
    seal()
    forEach { (member) throws(StoreError) in
      try member.plan.stage.sync { (file) throws(Errno) in try file.sync() }
    }
    install()
    forEach { (member) throws(StoreError) in
      try member.plan.stage.syncMode()
      do throws(Errno) {
        try member.plan.directory.sync()
      } catch {
        throw StoreError(error, otherwise: .writeFailed)
      }
    }
    letGo()
  }

  /// All steps but the last, which is that of `last`: its files have their names already.
  mutating func giveNames(confirming last: inout CommitGroup) {
    seal()
    let failures = Self.syncFileSystems(of: last, self)
    last.forEach { (member) throws(StoreError) in
      if let error = failures.first(where: { $0.device == member.device })?.error {
        throw StoreError(error, otherwise: .writeFailed)
      }
    }
    last.letGo()
    forEach { (member) throws(StoreError) in
      let failure = failures.first { $0.device == member.device }?.error
      try member.plan.stage.sync { (file) throws(Errno) in
        if let failure { throw failure }
        // A failed write may have been reported to somebody else's sync; the file itself remembers it too.
        try file.waitForWriteback(from: 0, count: 0)
      }
    }
    install()
  }

  private mutating func forEach(_ body: (inout Member) throws(StoreError) -> Void) {
    for index in members.indices {
      guard case .success(var member) = members[index] else { continue }
      do throws(StoreError) {
        try body(&member)
        members[index] = .success(member)
      } catch {
        members[index] = .failure(error)
      }
    }
  }

  private mutating func seal() {
    forEach { (member) throws(StoreError) in member.device = try member.plan.stage.seal(member.plan.claim) }
  }

  private mutating func install() {
    forEach { (member) throws(StoreError) in
      let plan = member.plan
      member.status = try plan.stage.install(in: plan.directory, as: plan.name, replacing: plan.isReplacing)
    }
  }

  private mutating func letGo() {
    forEach { (member) throws(StoreError) in member.plan.stage.letGo() }
  }

  /// Returns the devices that could not be synced.
  private static func syncFileSystems(of groups: CommitGroup...) -> [(device: UInt64, error: Errno)] {
    var synced: [UInt64] = []
    var failures: [(device: UInt64, error: Errno)] = []
    for group in groups {
      for case .success(let member) in group.members where !synced.contains(member.device) {
        synced.append(member.device)
        do throws(Errno) {
          try member.plan.directory.syncFileSystem()
        } catch {
          failures.append((member.device, error))
        }
      }
    }
    return failures
  }
}
