// Syncs that several files have in common.

internal import SpliceSystem

/// Each is done once, and all who need it hear what came of it. The kernel tells a descriptor once of what could not be
/// written: asked again for the next file, the same sync would say that all is well.
struct SharedSyncs<Key: Equatable> {
  private var done: [(key: Key, error: Errno?)] = []

  mutating func once(_ key: Key, _ sync: () throws(Errno) -> Void) throws(Errno) {
    if let known = done.first(where: { $0.key == key }) {
      if let error = known.error { throw error }
      return
    }
    do throws(Errno) {
      try sync()
      done.append((key, nil))
    } catch {
      done.append((key, error))
      throw error
    }
  }
}

/// As folders have it: some overlays give files another one.
func device(of directory: any Directory) throws(Errno) -> UInt64 {
  try directory.status([], followLinks: false).device
}
