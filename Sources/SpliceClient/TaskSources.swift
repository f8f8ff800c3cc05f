// What each command does, as a source of tasks.

internal import SpliceBase
internal import SpliceSystem
package import SpliceWire

/// `put`: an upload for each file of a walk.
package final class UploadSource: TaskSource {
  private let tree: LocalTree
  private let policy: OfferPolicy
  private let cache: DigestCache
  private let owner: [UInt8]
  private let currentFolder = Process.currentFolder()

  package init(_ tree: LocalTree, policy: OfferPolicy, _ cache: DigestCache) {
    self.tree = tree
    self.policy = policy
    self.cache = cache
    // Not the address: the same server may be reached through another one after the link broke.
    var owner = Host.id()
    owner.append(integer: Process.userID)
    self.owner = owner
  }

  package func nextTask() throws(ClientError) -> (any ClientTask)? {
    guard let item = try tree.next() else { return nil }
    let absolutePath = LocalNames.absolute(item.localPath, from: currentFolder)
    return UploadTask(
      UploadTask.Item(
        localPath: item.localPath, remotePath: item.remotePath, size: item.status.size,
        isDirectory: item.isDirectory, policy: policy,
        isNamedByUser: item.remotePath == tree.writtenPath),
      owner: owner, absolutePath: absolutePath, cache: cache)
  }
}

/// `get`: a download for each file, and a listing for each folder, which brings more of both.
package final class DownloadSource: TaskSource {
  private enum Wanted {
    case file(DownloadTask.Item)
    /// Asked what it is first.
    case unknown(WirePath, localPath: [UInt8])
    case folder(WirePath, localPath: [UInt8])
    case failure(ClientError)
  }

  private let isRecursive: Bool
  private let cache: DigestCache
  private let observer: any ClientObserver
  /// Files go first, so that what was found is fetched before more is looked for.
  private var files: [Wanted] = []
  private var folders: [Wanted] = []

  package init(isRecursive: Bool, _ cache: DigestCache, observer: any ClientObserver) {
    self.isRecursive = isRecursive
    self.cache = cache
    self.observer = observer
  }

  package func add(_ path: WirePath, localPath: [UInt8]) {
    if isRecursive || path.isRoot {
      folders.append(.unknown(path, localPath: localPath))
    } else {
      files.append(Self.file(path, localPath, size: nil))
    }
  }

  package func nextTask() throws(ClientError) -> (any ClientTask)? {
    guard let next = files.popLast() ?? folders.popLast() else { return nil }
    switch next {
    case .failure(let error): throw error
    case .file(let item): return DownloadTask(item, cache: cache)
    case .unknown(let path, let localPath):
      return RequestTask(.stat, path: path.bytes) { [self] in didLearn($0, path, localPath) }
    case .folder(let path, let localPath):
      return RequestTask(.list, path: path.bytes) { [self] in didList($0, path, localPath) }
    }
  }

  private func didLearn(_ answer: RequestTask.Answer, _ path: WirePath, _ localPath: [UInt8]) {
    switch answer {
    case .information(let information) where information.kind == .directory:
      if isRecursive {
        folders.append(.folder(path, localPath: localPath))
      } else {
        files.append(.failure(ClientError(.isDirectory, path: path.bytes, "is a directory (use -r)")))
      }
    case .information(let information):
      files.append(Self.file(path, localPath, size: information.size))
    case .failed(let error): files.append(.failure(error))
    case .listing, .removed, .verification: break
    }
  }

  private func didList(_ answer: RequestTask.Answer, _ path: WirePath, _ localPath: [UInt8]) {
    switch answer {
    case .listing(let entries):
      if let error = makeFolder(localPath) { return files.append(.failure(error)) }
      for entry in entries {
        guard let child = WirePath(LocalNames.join(path.bytes, entry.name)) else { continue }
        let local = LocalNames.join(localPath, entry.name)
        switch entry.kind {
        case .file: files.append(Self.file(child, local, size: entry.size))
        case .directory: folders.append(.folder(child, localPath: local))
        case .other, .invalid: passOver(child.bytes)
        }
      }
    case .failed(let error): files.append(.failure(error))
    case .information, .removed, .verification: break
    }
  }

  private func makeFolder(_ path: [UInt8]) -> ClientError? {
    do throws(Errno) {
      let start: StaticString = path.first == UInt8(ascii: "/") ? "/" : "."
      let base = try PosixDirectory.open([UInt8](start), confined: false)
      _ = try base.makePath(Array(path.drop { $0 == UInt8(ascii: "/") }), permissions: 0o755)
      return nil
    } catch { return ClientError(failed: "cannot make the folder", path: path, errno: error) }
  }

  private func passOver(_ path: [UInt8]) {
    var text: [UInt8] = []
    text.append(visible: path)
    text.append(": passed over, not a regular file, or a link that cannot be followed")
    observer.runDidNotice(text)
  }

  private static func file(_ remote: WirePath, _ localPath: [UInt8], size: UInt64?) -> Wanted {
    let slash = localPath.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { $0 == 0 ? [UInt8]("/") : Array(localPath[..<$0]) } ?? []
    let name = Array(localPath[(slash.map { $0 + 1 } ?? 0)...])
    if DownloadTask.keepsForItself(name) {
      return .failure(
        ClientError(
          .badPath, path: remote.bytes,
          "such names are for unfinished downloads; fetch it under another name"))
    }
    return .file(DownloadTask.Item(remotePath: remote.bytes, folder: folder, name: name, size: size))
  }
}

/// A fixed list of questions.
package final class ListedSource: TaskSource {
  private var tasks: [any ClientTask]

  package init(_ tasks: [any ClientTask]) { self.tasks = tasks }

  package func nextTask() throws(ClientError) -> (any ClientTask)? {
    tasks.isEmpty ? nil : tasks.removeFirst()
  }
}

/// `rm`: a REMOVE for each path; with `isRecursive` what is in a folder goes before the folder.
///
/// Nothing is listed before a REMOVE was refused because the folder is not empty: a link, which REMOVE
/// takes away itself, is never followed to what it leads to.
package final class RemoveSource: TaskSource {
  private enum Step {
    /// Remove it, or else what is in it.
    case clear([UInt8])
    case list([UInt8])
    case remove([UInt8])
    case failure(ClientError)
  }

  private let isRecursive: Bool
  /// A stack: a folder lies below everything that is in it.
  private var steps: [Step] = []
  /// A folder may only go when the answers for all before it have come.
  private var isWaiting = false

  package init(isRecursive: Bool) { self.isRecursive = isRecursive }

  package func add(_ path: [UInt8]) { steps.insert(isRecursive ? .clear(path) : .remove(path), at: 0) }

  package func nextTask() throws(ClientError) -> (any ClientTask)? {
    guard !isWaiting, let step = steps.popLast() else { return nil }
    switch step {
    case .failure(let error): throw error
    case .clear(let path): return request(.remove, path, mayDescend: true)
    case .list(let path): return request(.list, path)
    case .remove(let path): return request(.remove, path)
    }
  }

  private func request(_ type: FrameType, _ path: [UInt8], mayDescend: Bool = false) -> RequestTask {
    isWaiting = true
    return RequestTask(type, path: path) { [self] answer in
      isWaiting = false
      switch answer {
      case .listing(let entries):
        for entry in entries { steps.append(.clear(LocalNames.join(path, entry.name))) }
      case .removed, .information, .verification: break
      case .failed(let error) where mayDescend && error.code == .notEmpty:
        steps.append(.remove(path))
        steps.append(.list(path))
      case .failed(let error): steps.append(.failure(error))
      }
    }
  }
}
