// A digest file on disk: its header, and its records read and written in order.

package import SpliceBase
package import SpliceCore
package import SpliceSystem

/// The file under a journal or a digest book. Not thread-safe: one job of the pool at a time.
package final class RecordLog {
  /// A place between two records, and the check that the next one builds on.
  package struct Position {
    package fileprivate(set) var offset: UInt64
    fileprivate var chain: RecordChain

    /// Block records before this place.
    package var blocks: UInt64 { chain.blocks }
  }

  /// Records read at a time: of a whole log; of a part of it, so few that there is room for them on the stack.
  private static let wholeCount = 128
  private static let partCount = 24

  fileprivate let file: any File
  fileprivate let start: Position
  /// Where the next record will be written.
  fileprivate var end: Position
  private var output: [UInt8] = []

  /// A new file: writes `header` at its beginning.
  package init(_ file: any File, newHeader header: [UInt8]) throws(Errno) {
    self.file = file
    start = Position(offset: UInt64(header.count), chain: RecordChain(header: header))
    end = start
    try file.truncate(to: 0)
    try write(header, at: 0)
  }

  private init(_ file: any File, start: Position) {
    self.file = file
    self.start = start
    end = start
  }

  /// An existing file, to be scanned before anything is appended. nil when its header is damaged.
  package static func open(_ file: any File) throws(Errno) -> (log: RecordLog, header: [UInt8])? {
    let bytes = try read(file, at: 0, count: RecordFile.headerMax)
    guard let count = RecordFile.headerCount(bytes) else { return nil }
    let header = Array(bytes[..<count])
    let start = Position(offset: UInt64(count), chain: RecordChain(header: header))
    return (RecordLog(file, start: start), header)
  }

  /// Whole records that there is room for in the file, good or not.
  package func recordCount() throws(Errno) -> UInt64 {
    let size = try file.status().size
    return (size - min(size, start.offset)) / UInt64(RecordFile.recordSize)
  }

  /// The place before record `index`, which is taken as it is: what a scan from there finds is believed only
  /// if it agrees with the record before. nil when there is none.
  ///
  /// - Parameter blocks: how many of the records before are of blocks.
  package func position(ofRecord index: UInt64, blocks: UInt64) throws(Errno) -> Position? {
    if index == 0 { return start }
    let size = UInt64(RecordFile.recordSize)
    let before = start.offset + (index - 1) * size
    let chain: Result<RecordChain?, Errno> = withUnsafeTemporaryAllocation(
      byteCount: RecordFile.recordSize, alignment: 8
    ) { raw in
      do throws(Errno) {
        guard try file.readAll(into: raw, at: before) == raw.count else { return .success(nil) }
        return .success(RecordChain(behind: UnsafeRawBufferPointer(raw), blocks: blocks))
      } catch { return .failure(error) }
    }
    return try chain.get().map { Position(offset: start.offset + index * size, chain: $0) }
  }

  /// The place before the last name, if that is one of the last `partCount` records. It is taken as it is, as above.
  package func positionOfLastName() throws(Errno) -> Position? {
    let size = RecordFile.recordSize
    let count = try recordCount()
    let first = count - min(count, UInt64(Self.partCount))
    let place: Result<Position?, Errno> = withUnsafeTemporaryAllocation(
      byteCount: Self.partCount * size, alignment: 8
    ) { raw in
      do throws(Errno) {
        let read = try file.readAll(into: raw, at: start.offset + first * UInt64(size)) / size
        func record(_ index: Int) -> UnsafeRawBufferPointer {
          UnsafeRawBufferPointer(rebasing: raw[index * size..<(index + 1) * size])
        }
        var index = read - 1
        while index > 0 {
          if let blocks = RecordChain.blocks(beforeName: record(index)) {
            let chain = RecordChain(behind: record(index - 1), blocks: blocks)
            return .success(Position(offset: start.offset + (first + UInt64(index)) * UInt64(size), chain: chain))
          }
          index -= 1
        }
        return .success(nil)
      } catch { return .failure(error) }
    }
    return try place.get()
  }

  /// Reads the records in order until one is damaged or missing, or `body` returns false.
  ///
  /// - Parameters:
  ///   - first: where to begin; nil: with the first record.
  ///   - body: gets each record, the stamp stored with it, and the place behind it.
  package func scan(
    from first: Position? = nil, _ body: (Record, _ stamp: UInt64, _ after: Position) -> Bool
  ) throws(Errno) {
    var position = first ?? start
    let size = RecordFile.recordSize
    let atOnce = first == nil ? Self.wholeCount : Self.partCount
    // Not kept: thousands of transfers may have a log each.
    let result: Result<Void, Errno> = withUnsafeTemporaryAllocation(
      byteCount: atOnce * size, alignment: 8
    ) { raw in
      do throws(Errno) {
        while true {
          let whole = try file.readAll(into: raw, at: position.offset) / size
          for index in 0..<whole {
            let record = UnsafeRawBufferPointer(rebasing: raw[index * size..<(index + 1) * size])
            guard let (value, stamp) = position.chain.next(record) else { return .success(()) }
            position.offset += UInt64(size)
            if !body(value, stamp, position) { return .success(()) }
          }
          if whole < atOnce { return .success(()) }
        }
      } catch { return .failure(error) }
    }
    try result.get()
  }

  /// Everything behind `position` is cut off; the next record goes there.
  package func cut(at position: Position?) throws(Errno) {
    end = position ?? start
    try file.truncate(to: end.offset)
  }

  /// Appending goes on at `position`, which a scan of the whole file reached.
  package func resume(at position: Position?) { end = position ?? start }

  package func append(_ record: Record, stamp: UInt64) throws(Errno) {
    output.removeAll(keepingCapacity: true)
    var next = end.chain
    next.append(record, stamp: stamp, to: &output)
    try write(output, at: end.offset)
    end = Position(offset: end.offset + UInt64(output.count), chain: next)
  }

  /// The place behind the last record.
  package var position: Position { end }

  /// Records before that place.
  package var records: UInt64 { (end.offset - start.offset) / UInt64(RecordFile.recordSize) }

  package func sync() throws(Errno) { try file.syncData() }

  private func write(_ bytes: [UInt8], at offset: UInt64) throws(Errno) {
    let result: Result<Void, Errno> = bytes.withUnsafeBytes { raw in
      do throws(Errno) { return .success(try file.write(raw, at: offset)) } catch { return .failure(error) }
    }
    try result.get()
  }

  /// Up to `count` bytes; fewer at the end of the file.
  fileprivate static func read(_ file: any File, at offset: UInt64, count: Int) throws(Errno) -> [UInt8] {
    var failure: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = 0
      do throws(Errno) {
        filled = try file.readAll(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }
}

extension RecordLog {
  /// P(count - 1) for each of `blockCounts`, which rise; fewer when fewer blocks are recorded.
  package func chain(at blockCounts: [UInt64], of geometry: BlockGeometry) throws(Errno) -> [Digest] {
    var chain = PrefixChain(geometry)
    var digests: [Digest] = []
    if blockCounts.isEmpty { return digests }
    try scan { record, _, _ in
      if case .block(let digest) = record {
        chain.append(digest)
        if chain.blocks == blockCounts[digests.count] { digests.append(chain.digest) }
      }
      return digests.count < blockCounts.count
    }
    return digests
  }
}
