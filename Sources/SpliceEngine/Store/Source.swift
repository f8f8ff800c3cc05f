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
      left -= min(left, geometry.blockEnd(book.bytes, fileSize: size) - book.bytes)
      do throws(Errno) {
        try extend(to: book.blocks + 1)
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

  /// The first try may find that the book is damaged.
  private func chain(blocks: UInt64) throws(Errno) -> PrefixChain {
    if let chain = try book.chain(ofBlocks: blocks) { return chain }
    try extend(to: blocks)
    if let chain = try book.chain(ofBlocks: blocks) { return chain }
    throw .inputOutput
  }

  private func extend(to blocks: UInt64) throws(Errno) {
    while book.blocks < blocks {
      // Many may want the same new file at once; one of them has to read it.
      try book.catchUp()
      guard book.blocks < blocks else { return }
      try book.append(digestOfBytes(from: book.bytes, to: geometry.blockEnd(book.bytes, fileSize: size)))
    }
  }

  /// Appends the digests of up to `count` blocks from `first` on, of which `needed` at least are in the book.
  package func readDigests(
    from first: UInt64, count: Int, needed: Int, into digests: inout [Digest]
  ) throws(StoreError) {
    let before = digests.count
    do throws(Errno) {
      try book.read(from: first, count: count, into: &digests)
      if digests.count - before >= needed { return }
      digests.removeLast(digests.count - before)
      try extend(to: first + UInt64(needed))
      try book.read(from: first, count: count, into: &digests)
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
  }

  /// P(count - 1) for each of `blockCounts`, for which the book was extended.
  package func chain(at blockCounts: [UInt64]) throws(StoreError) -> [Digest] {
    do throws(Errno) {
      var digests: [Digest] = []
      for count in blockCounts where count <= book.blocks { digests.append(try chain(blocks: count).digest) }
      return digests
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
