// The client's memory of what it hashed: one digest book a file, in a folder of the user.

internal import SpliceBase
package import SpliceCore
package import SpliceEngine
internal import SpliceSystem

/// Digest books of local files, so that a second try need not read what the first one read.
///
/// Without a folder the books live as long as the run. Any thread.
package final class DigestCache: @unchecked Sendable {
  private let folder: (any Directory)?
  /// Folders of downloads whose names are on stable storage.
  let durableFolders = DurableFolders()

  /// - Parameter path: the folder, made if missing; nil keeps nothing. A folder that cannot be made or
  ///   written is the same as none.
  package init(path: [UInt8]?) {
    guard let path, !path.isEmpty else {
      folder = nil
      return
    }
    do throws(Errno) {
      let isAbsolute = path.first == UInt8(ascii: "/")
      let base = try PosixDirectory.open([UInt8](isAbsolute ? "/" : "."), confined: false)
      folder = try base.makePath(Array(path.drop { $0 == UInt8(ascii: "/") }), permissions: 0o700)
    } catch {
      folder = nil
    }
  }

  /// The book of the file that has this key. Blocking.
  package func book(_ key: FileKey, path: [UInt8]) -> DigestBook {
    guard let folder, key.size > BlockGeometry(fileSize: key.size).blockSize else {
      return DigestBook(inMemory: key)
    }
    do throws(Errno) {
      return try DigestBook(key, in: folder, path: path)
    } catch {
      return DigestBook(inMemory: key)
    }
  }
}
