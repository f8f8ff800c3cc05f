// The daemon's memory for bytes on their way from a socket to the disk: a fixed number of buffers.

internal import SpliceBase

/// One receive buffer, at a page of its own. A link fills it; jobs read slices of it; it goes back when nobody needs it.
package final class Buffer {
  package let bytes: UnsafeMutableRawBufferPointer
  /// How many parties still read or fill it.
  fileprivate(set) var pins = 0
  /// Bytes received into it so far.
  var filled = 0
  /// The link that would go on filling it; told when it is gone.
  unowned(unsafe) var filler: Link?

  /// The buffers in whose places it is; empty for an ordinary one.
  fileprivate let parts: [Buffer]
  fileprivate var isPart = false

  fileprivate init(_ bytes: UnsafeMutableRawBufferPointer, inPlaceOf parts: [Buffer] = []) {
    self.bytes = bytes
    self.parts = parts
  }

  /// There is room for a whole block and what stands before the next one.
  var isWide: Bool { !parts.isEmpty }
}

/// A range of a pinned buffer. Whoever gets one gives it back with `BufferPool.unpin`.
package struct Slice {
  package let buffer: Buffer
  package let range: Range<Int>

  package init(buffer: Buffer, range: Range<Int>) {
    self.buffer = buffer
    self.range = range
  }

  /// What it counts for in a backlog.
  package var cost: Int { range.count + Limits.pieceCost }

  package var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: buffer.bytes[range])
  }
}

/// All buffers of one worker, taken from the system once. Belongs to the loop's thread.
///
/// An empty pool is an ordinary event: links stop reading and are woken in turn.
///
/// - Invariant: an ordinary buffer is in `free` exactly when its `pins` are 0 and no wide one is used in its place.
package final class BufferPool {
  private let block: UnsafeMutableRawBufferPointer
  /// Used as a stack, so that a quiet daemon touches few pages.
  private var free: [Buffer] = []
  private let wide: [Buffer]
  package let count: Int
  /// How often a link had to wait.
  package private(set) var waits: UInt64 = 0
  private var waiting: [Link] = []

  /// Ordinary buffers in the place of a wide one.
  private static let partCount = Limits.dataPayloadMax / Limits.bufferSize + 1
  /// Ordinary buffers in the pool for each wide one.
  private static let countForWide = 3 * partCount

  /// - Parameter bytes: of memory in all; at least two buffers are made.
  package init(bytes: Int) {
    count = max(2, bytes / Limits.bufferSize)
    block = .allocate(byteCount: count * Limits.bufferSize, alignment: 4096)
    free.reserveCapacity(count)
    for index in (0..<count).reversed() {
      let range = index * Limits.bufferSize..<(index + 1) * Limits.bufferSize
      free.append(Buffer(UnsafeMutableRawBufferPointer(rebasing: block[range])))
    }
    // At the bottom of the stack.
    let count = count
    let block = block
    let free = free
    wide = (0..<count / Self.countForWide).map { index in
      let parts = Array(free[index * Self.partCount..<(index + 1) * Self.partCount])
      for part in parts { part.isPart = true }
      let end = (count - index * Self.partCount) * Limits.bufferSize
      return Buffer(
        UnsafeMutableRawBufferPointer(rebasing: block[end - parts.count * Limits.bufferSize..<end]), inPlaceOf: parts)
    }
  }

  deinit {
    require(free.count == count, "every buffer came back")
    block.deallocate()
  }

  /// A buffer with one pin, or nil: then ask to be woken with `wait`.
  package func take() -> Buffer? {
    guard let buffer = free.popLast() else { return nil }
    buffer.pins = 1
    buffer.filled = 0
    return buffer
  }

  /// A buffer with one pin for somebody who has much to receive: a wide one while the others have enough.
  package func takeForBulk() -> Buffer? {
    guard free.count - Self.partCount >= count / 2,
      let buffer = wide.first(where: { $0.pins == 0 && $0.parts.allSatisfy { $0.pins == 0 } })
    else { return take() }
    free.removeAll { one in buffer.parts.contains { $0 === one } }
    buffer.pins = 1
    buffer.filled = 0
    return buffer
  }

  func pin(_ buffer: Buffer) {
    require(buffer.pins > 0, "only a buffer in use is shared")
    buffer.pins += 1
  }

  package func unpin(_ buffer: Buffer) {
    require(buffer.pins > 0, "a pin is given back once")
    buffer.pins -= 1
    guard buffer.pins == 0 else { return }
    buffer.filler?.didLoseBuffer()
    buffer.filler = nil
    for part in buffer.parts { free.insert(part, at: 0) }
    // Those of wide ones stay at the bottom, so that they are taken last.
    if buffer.isPart { free.insert(buffer, at: 0) } else if !buffer.isWide { free.append(buffer) }
    var places = max(1, buffer.parts.count)
    // One that has lost its wish in the meantime must not use up the call.
    while places > 0, !waiting.isEmpty {
      if waiting.removeFirst().poolHasBuffer() { places -= 1 }
    }
  }

  func wait(_ link: Link) {
    if waiting.contains(where: { $0 === link }) { return }
    waiting.append(link)
    waits += 1
  }

  func stopWaiting(_ link: Link) { waiting.removeAll { $0 === link } }

  var usedCount: Int { count - free.count }
  /// So few are left that none should be held for comfort.
  package var isScarce: Bool { free.count < count / 2 }
}
