// Which name a file gets on the other side: the rules of scp and rsync, in one place.

internal import SpliceBase
package import SpliceSystem
internal import SpliceWire

/// Pure rules about names; nothing here looks at a file system.
package enum LocalNames {
  /// `folder` and `name` with one "/" in between; either may be empty.
  package static func join(_ folder: [UInt8], _ name: [UInt8]) -> [UInt8] {
    if folder.isEmpty { return name }
    if name.isEmpty { return folder }
    return folder.last == UInt8(ascii: "/") ? folder + name : folder + [UInt8(ascii: "/")] + name
  }

  /// `path` from the root, without empty components and ".". Links and ".." stay as they are.
  package static func absolute(_ path: [UInt8], from folder: [UInt8]) -> [UInt8] {
    let whole = path.first == UInt8(ascii: "/") ? path : join(folder, path)
    var result: [UInt8] = []
    for component in whole.split(separator: UInt8(ascii: "/")) {
      if [UInt8](component) == "." { continue }
      result.append(UInt8(ascii: "/"))
      result.append(contentsOf: component)
    }
    return result
  }

  /// The last component of a local path, whatever slashes follow it. Empty when it has no name of its own:
  /// "/", ".", "..", "photos/." and the like mean what is in a folder, not the folder.
  package static func lastComponent(_ path: [UInt8]) -> [UInt8] {
    var end = path.count
    while end > 0, path[end - 1] == UInt8(ascii: "/") { end -= 1 }
    var start = end
    while start > 0, path[start - 1] != UInt8(ascii: "/") { start -= 1 }
    let name = [UInt8](path[start..<end])
    return name == "." || name == ".." ? [] : name
  }

  /// The first index at which a name stands that stood before. Empty ones do not count: what is in several
  /// folders may be meant to come together.
  package static func firstRepeated(_ names: [[UInt8]]) -> Int? {
    let sorted = names.indices.filter { !names[$0].isEmpty }.sorted { left, right in
      names[left] == names[right] ? left < right : names[left].lexicographicallyPrecedes(names[right])
    }
    return zip(sorted, sorted.dropFirst()).filter { names[$0] == names[$1] }.map { $1 }.min()
  }

  /// The remote path of a local operand of `put`.
  ///
  /// ".../X/" takes the operand's last component below it, ".../NAME" becomes the operand itself. A slash
  /// at the end of the operand changes nothing: `-r photos` and `-r photos/` both arrive as "X/photos/...";
  /// what is in a folder, without the folder, is `-r photos/.`.
  package static func remotePath(of operand: [UInt8], to destination: Endpoint) -> [UInt8] {
    guard destination.isFolder else { return destination.path.bytes }
    return join(destination.path.bytes, lastComponent(operand))
  }

  /// The local path of a remote one of `get`.
  ///
  /// - Parameters:
  ///   - local: LOCAL of the command line, nil when it was left out: the current folder.
  ///   - isFolder: whether LOCAL is a folder, or is meant as one: see `isFolder(_:)`.
  /// - Returns: never empty; "." when the root is fetched into the current folder.
  package static func localPath(of remote: Endpoint, to local: [UInt8]?, isFolder: Bool) -> [UInt8] {
    let name = remote.path.name
    guard let local else { return name.isEmpty ? [UInt8(ascii: ".")] : name }
    return isFolder ? join(local, name) : local
  }

  /// Whether LOCAL of `get` is meant as a folder: it ends with "/", or there is a folder of that name.
  package static func isFolder(_ local: [UInt8]) -> Bool {
    if local.last == UInt8(ascii: "/") { return true }
    do throws(Errno) {
      return try LocalFiles.status(local).kind == .directory
    } catch {
      return false
    }
  }
}

/// Paths of the command line: relative to the current folder, links followed, nothing confined.
package enum LocalFiles {
  package static func status(_ path: [UInt8]) throws(Errno) -> FileStatus {
    // The shims take an empty path for the directory itself; stat(2) does not, nor does any user.
    if path.isEmpty { throw .noEntry }
    // An absolute path must not fail because the current folder cannot be read.
    let start: StaticString = path.first == UInt8(ascii: "/") ? "/" : "."
    return try PosixDirectory.open([UInt8](start), confined: false).status(path, followLinks: true)
  }
}

extension ClientError {
  /// For a system call that failed on a local path.
  ///
  /// - Parameter failed: what could not be done, as in "cannot open".
  package init(failed: StaticString, path: [UInt8], errno: Errno) {
    let code: ErrorCode =
      switch errno {
      case .noEntry: .notFound
      case .accessDenied, .permission: .denied
      case .notDirectory: .notDirectory
      case .isDirectory: .isDirectory
      default: .readFailed
      }
    self.init(
      code, path: path, text: [UInt8](failed) + [UInt8](": ") + [UInt8](errno.name), isResumable: false,
      cause: .system(errno))
  }

  init(_ code: ErrorCode, path: [UInt8], _ text: StaticString) {
    self.init(code, path: path, text: [UInt8](text), isResumable: false)
  }
}
