// MD5 of the first part of a finished file, by the states that are kept of it and by reading the rest.

package import SpliceBase
package import SpliceCore
package import SpliceSystem
internal import SpliceWire

/// Goes through one file in steps, and keeps the state behind each block for the next one who asks.
///
/// Blocking: call it on a thread of the pool, one job at a time.
package final class SourceMD5 {
  private let source: Source
  private let book: DigestBook
  package private(set) var md5 = RunningMD5()
  private var isAtStart = true

  /// - Parameter book: of kind `.md5`, for the very content of `source`.
  init(_ source: Source, _ book: DigestBook) {
    self.source = source
    self.book = book
  }

  /// Goes on to the first `bytes` bytes, reading at most about `budget`. Returns true when `md5` covers them.
  package func advance(to bytes: UInt64, budget: UInt64) throws(StoreError) -> Bool {
    let blockSize = source.geometry.blockSize
    do throws(Errno) {
      if isAtStart {
        isAtStart = false
        let blocks = min(book.blocks, bytes / blockSize)
        if blocks > 0, let state = try book.digests(from: blocks - 1, count: 1).first {
          md5 = RunningMD5(state: state, count: blocks * blockSize)
        }
      }
      let goal = min(bytes, md5.count + max(budget, blockSize))
      while md5.count < goal {
        try source.file.feed(md5, to: min(bytes, source.geometry.blockEnd(md5.count, fileSize: source.size)))
        if md5.count == (book.blocks + 1) * blockSize { try book.append(md5.state) }
      }
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
    return md5.count == bytes
  }

  /// The state behind so many blocks, of which `advance` has gone by.
  package func state(behind blocks: UInt64) throws(Errno) -> Digest? {
    try book.digests(from: blocks - 1, count: 1).first
  }
}
