// What a connection still has to send, in order: messages, buffers, and ranges of files.

internal import SpliceBase
package import SpliceSystem

package enum SendFailure: Error, Equatable {
  case socket(Errno)
  /// A file became shorter while it was sent; the bytes that were announced do not exist.
  case fileEnded
}

/// A first-in first-out queue of memory and file ranges. File bytes are never held in memory.
///
/// A class, because a buffer that goes back to its pool in the middle of a `flush` may wake the very link that flushes,
/// which asks how much is queued.
final class OutputQueue {
  private enum Segment {
    /// The next so many bytes of `messages`.
    case messages(Int)
    case slice(Slice)
    case file(any File, offset: UInt64, count: Int)
  }

  /// The most pieces that one system call gets.
  private static let gatherMax = 16

  private var segments: [Segment] = []
  /// Index of the first segment that is not sent; those before it are dropped now and then.
  private var first = 0
  private var messages: [UInt8] = []
  private var messagesSent = 0
  /// Bytes that are not sent yet.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }
  /// Bytes that take memory here: all but file ranges and buffers of the pool.
  var messageCount: Int { messages.count - messagesSent }

  /// Lets `body` append whole messages.
  func append(_ body: (inout [UInt8]) -> Void) {
    let before = messages.count
    body(&messages)
    let added = messages.count - before
    count += added
    if case .messages(let waiting)? = segments.last, first < segments.count {
      segments[segments.count - 1] = .messages(waiting + added)
    } else {
      segments.append(.messages(added))
    }
  }

  /// Takes over the pin of `slice`.
  func append(_ slice: Slice) {
    segments.append(.slice(slice))
    count += slice.range.count
  }

  func append(_ file: any File, offset: UInt64, count fileCount: Int) {
    segments.append(.file(file, offset: offset, count: fileCount))
    count += fileCount
  }

  /// Sends until the transport takes no more or `budget` is used up. Returns the bytes sent, and whether
  /// the transport was the reason to stop.
  func flush(
    _ transport: any Transport, budget: Int, pool: BufferPool
  ) throws(SendFailure) -> (sent: Int, isBlocked: Bool) {
    var total = 0
    while count > 0, total < budget {
      let sent: Int?
      if case .file(let file, let offset, let fileCount) = segments[first] {
        do throws(Errno) {
          sent = try transport.sendFile(file.descriptor, at: offset, count: min(fileCount, budget - total))
        } catch { throw .socket(error) }
        if sent == 0 { throw .fileEnded }
      } else {
        sent = try sendMemory(transport, budget: budget - total)
      }
      guard let sent else { return (total, true) }
      advance(sent, pool)
      total += sent
    }
    return (total, false)
  }

  private func sendMemory(_ transport: any Transport, budget: Int) throws(SendFailure) -> Int? {
    let result: Result<Int?, Errno> = messages.withUnsafeBytes { raw in
      withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: Self.gatherMax) { pieces in
        var used = 0
        var offset = messagesSent
        var more = false
        var left = budget
        gathering: for index in first..<segments.count {
          let piece: UnsafeRawBufferPointer
          switch segments[index] {
          case _ where used == Self.gatherMax || left == 0: break gathering
          case .messages(let size):
            piece = UnsafeRawBufferPointer(rebasing: raw[offset..<offset + size])
            offset += size
          case .slice(let slice): piece = slice.bytes
          case .file:
            // The header in front of file bytes leaves in one packet with them.
            more = true
            break gathering
          }
          let part = UnsafeRawBufferPointer(rebasing: piece[..<min(piece.count, left)])
          pieces.initializeElement(at: used, to: part)
          left -= part.count
          used += 1
        }
        let gathered = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(pieces)[..<used])
        do throws(Errno) {
          return .success(try transport.send(gathered, more: more))
        } catch { return .failure(error) }
      }
    }
    do throws(Errno) { return try result.get() } catch { throw .socket(error) }
  }

  private func advance(_ sent: Int, _ pool: BufferPool) {
    count -= sent
    var left = sent
    while left > 0 {
      switch segments[first] {
      case .messages(let size):
        let taken = min(left, size)
        messagesSent += taken
        left -= taken
        if taken == size { first += 1 } else { segments[first] = .messages(size - taken) }
      case .slice(let slice):
        let taken = min(left, slice.range.count)
        left -= taken
        if taken == slice.range.count {
          pool.unpin(slice.buffer)
          first += 1
        } else {
          let rest = slice.range.lowerBound + taken..<slice.range.upperBound
          segments[first] = .slice(Slice(buffer: slice.buffer, range: rest))
        }
      case .file(let file, let offset, let size):
        let taken = min(left, size)
        left -= taken
        if taken == size {
          first += 1
        } else {
          segments[first] = .file(file, offset: offset + UInt64(taken), count: size - taken)
        }
      }
    }
    if first == segments.count {
      segments.removeAll(keepingCapacity: true)
      messages.removeAll(keepingCapacity: true)
      first = 0
      messagesSent = 0
    } else if first >= 64 {
      segments.removeFirst(first)
      messages.removeFirst(messagesSent)
      first = 0
      messagesSent = 0
    }
  }

  /// Drops everything, giving buffers back.
  func removeAll(_ pool: BufferPool) {
    for index in first..<segments.count {
      if case .slice(let slice) = segments[index] { pool.unpin(slice.buffer) }
    }
    segments = []
    messages = []
    first = 0
    messagesSent = 0
    count = 0
  }
}
