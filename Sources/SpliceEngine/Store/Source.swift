// A finished file that is being sent: its bytes, its digests, and whether it is still the same file.

package import SpliceBase
package import SpliceCore
package import SpliceSystem
internal import SpliceWire

/// The sending end of one transfer on disk, for the daemon's downloads and the client's uploads.
///
/// The descriptor stays open, so a file that is replaced by a rename goes on being read as it was.
/// Blocking: call it on a thread of the pool, one job at a time.
package final class Source {
  package let file: any File
  package let status: FileStatus
  package let book: DigestBook
  package var geometry: BlockGeometry { book.geometry }
  package var size: UInt64 { status.size }
  private let hasher = BlockHasher()

  package init(_ file: any File, _ status: FileStatus, _ book: DigestBook) {
    self.file = file
    self.status = status
    self.book = book
  }

  /// Somebody wrote to the file since it was opened.
  package func hasChanged() throws(StoreError) -> Bool {
    do throws(Errno) {
      // A rename or a link changes ctime but no byte; only what the bytes depend on counts here.
      let now = try file.status()
      return now.size != status.size || now.modified != status.modified
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
  }

  /// Extends the book by reading on, at most `budget` bytes, until it covers the whole blocks of the
  /// first `bytes` bytes (and the short last one, when they are all). Returns true when it does.
  package func extendBook(toCover bytes: UInt64, budget: UInt64) throws(StoreError) -> Bool {
    let goal = bytes == size ? size : bytes - geometry.tail(of: bytes)
    var left = budget
    while book.bytes < goal {
      if left == 0 { return false }
      let end = geometry.blockEnd(book.bytes, fileSize: size)
      left -= min(left, end - book.bytes)
      do throws(Errno) {
        try book.append(digestOfBytes(from: book.bytes, to: end))
      } catch {
        throw StoreError(error, otherwise: .readFailed)
      }
    }
    return true
  }

  /// Names the first `bytes` bytes, for which the book was extended. Reads at most one block.
  package func proof(of bytes: UInt64) throws(StoreError) -> PrefixProof {
    do throws(Errno) {
      let blocks = geometry.wholeBlocks(in: bytes)
      let chain = try chain(blocks: blocks)
      if geometry.tail(of: bytes) == 0 { return chain.proof(bytes: bytes, tail: nil) }
      let tail = try digestOfBytes(from: blocks * geometry.blockSize, to: bytes)
      return chain.proof(bytes: bytes, tail: tail)
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
  }

  private func chain(blocks: UInt64) throws(Errno) -> PrefixChain {
    if blocks == book.blocks { return book.chain }
    var chain = PrefixChain(geometry)
    while chain.blocks < blocks {
      let digests = try book.digests(from: chain.blocks, count: Int(min(512, blocks - chain.blocks)))
      if digests.isEmpty { throw .inputOutput }
      for digest in digests { chain.append(digest) }
    }
    return chain
  }

  /// P(count - 1) for each of `blockCounts`, for which the book was extended.
  package func chain(at blockCounts: [UInt64]) throws(StoreError) -> [Digest] {
    do throws(Errno) {
      return try book.chain(at: blockCounts)
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
  }

  /// The digest of the bytes as they are on disk now.
  package func digestOfBytes(from start: UInt64, to end: UInt64) throws(Errno) -> Digest {
    hasher.reset()
    // A file that became shorter has another digest; who compares finds out.
    _ = try file.hash(from: start, to: end, with: hasher)
    return hasher.digest()
  }
}
