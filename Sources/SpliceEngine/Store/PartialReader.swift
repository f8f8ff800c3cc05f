// What is unfinished, for administrators.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
package import SpliceWire

/// Reads the folder of stages a message at a time. Blocking: call it on a thread of the pool.
package final class PartialReader {
  private let stages: any Directory
  private let leases: LeaseTable
  private let nowSeconds: Int64
  private var reader: (any DirectoryReader)?
  private var pager = EntryPager<PartialEntry>()

  init(_ stages: any Directory, _ leases: LeaseTable, nowSeconds: Int64) {
    self.stages = stages
    self.leases = leases
    self.nowSeconds = nowSeconds
  }

  /// The next entries, as many as fit one message; the last message has `isLast`.
  package func next() throws(StoreError) -> (entries: [PartialEntry], isLast: Bool) {
    do throws(Errno) {
      let reader: any DirectoryReader
      if let opened = self.reader { reader = opened } else { reader = try stages.reader() }
      self.reader = reader
      return try pager.next(size: { $0.encodedCount }) { () throws(Errno) in try nextEntry(reader) }
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
  }

  private func nextEntry(_ reader: any DirectoryReader) throws(Errno) -> PartialEntry? {
    while let entry = try reader.next() {
      guard let id = Store.stageID(ofData: entry.name) else { continue }
      do throws(Errno) {
        let status = try stages.status(entry.name, followLinks: false)
        let header = try header(of: id)
        return PartialEntry(
          path: header?.path ?? [], size: header?.size ?? 0, received: status.size,
          ageSeconds: status.modified.age(at: nowSeconds), origin: header?.origin ?? [],
          isActive: leases.isStageHeld(id))
      } catch {
        // Finished or removed since the folder was read.
        if error != .noEntry { throw error }
      }
    }
    return nil
  }

  /// Nil for bytes of a daemon that was killed before it wrote a journal.
  private func header(of id: [UInt8]) throws(Errno) -> JournalHeader? {
    do throws(Errno) {
      let file = try stages.openFile(Store.journalName(of: id), .read, permissions: 0)
      guard let (_, bytes) = try RecordLog.open(file) else { return nil }
      return JournalHeader(bytes)
    } catch {
      if error == .noEntry { return nil }
      throw error
    }
  }
}
