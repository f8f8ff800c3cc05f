// Making the missing part of a path so that no rename in between and no crash afterwards can break it.

extension Directory {
  /// Opens the directory at `path`, making its missing components with `permissions`.
  ///
  /// Each one is made in its parent's descriptor and opened beneath it, so what is made is what is opened;
  /// losing the race against another maker is fine. Every parent that may have got a name here is synced
  /// before this returns: a new directory is then as durable as the file that will go into it.
  ///
  /// - Throws: `.notDirectory` when a component is something else; directories made until then stay.
  package func makePath(_ path: [UInt8], permissions: UInt32) throws(Errno) -> any Directory {
    // What exists is opened as one path, so that links inside the confinement work as they do elsewhere.
    var split = path.count
    var current: any Directory
    while true {
      while split > 0, path[split - 1] == slash { split -= 1 }
      if split == 0 {
        current = try openDirectory(path.first == slash ? [slash] : [dot])
        break
      }
      if let found = try openIfPresent(Array(path[..<split])) {
        current = found
        break
      }
      while split > 0, path[split - 1] != slash { split -= 1 }
    }

    var at = split
    while at < path.count {
      while at < path.count, path[at] == slash { at += 1 }
      var end = at
      while end < path.count, path[end] != slash { end += 1 }
      if end == at { break }
      let name = Array(path[at..<end])
      at = end
      if name == [dot] { continue }
      if name != [dot, dot] { try current.makeDurably(name, permissions: permissions) }
      current = try current.openDirectory(name)
    }
    return current
  }

  private func openIfPresent(_ path: [UInt8]) throws(Errno) -> (any Directory)? {
    do throws(Errno) {
      return try openDirectory(path)
    } catch {
      if error == .noEntry { return nil }
      throw error
    }
  }
}

extension Directory {
  /// Synced even when the other maker won: that one's sync may come after our caller's promise.
  fileprivate func makeDurably(_ name: [UInt8], permissions: UInt32) throws(Errno) {
    do throws(Errno) {
      try makeDirectory(name, permissions: permissions)
    } catch {
      if error != .exists { throw error }
    }
    try sync()
  }
}

private let slash = UInt8(ascii: "/")
private let dot = UInt8(ascii: ".")
