// The bytes of one file, in pieces that are shared until they differ.

internal import Glibc

/// Bytes with a size; what was never written is zero.
package struct Content {
  package static let chunkSize = 64 << 10
  private static let zeros = [UInt8](repeating: 0, count: chunkSize)

  package private(set) var size = 0
  /// Covers at least `size`; bytes behind `size` are zero.
  private var chunks: [[UInt8]] = []

  package init() {}

  package init(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { write($0, at: 0) }
  }

  package mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    if bytes.isEmpty { return }
    if offset + bytes.count > size { resize(to: offset + bytes.count) }
    var done = 0
    while done < bytes.count {
      let index = (offset + done) / Self.chunkSize
      let start = (offset + done) % Self.chunkSize
      let count = min(bytes.count - done, Self.chunkSize - start)
      chunks[index].withUnsafeMutableBytes { chunk in
        UnsafeMutableRawBufferPointer(rebasing: chunk[start..<start + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[done..<done + count]))
      }
      done += count
    }
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
    if offset >= size { return 0 }
    let count = min(buffer.count, size - offset)
    var done = 0
    while done < count {
      let index = (offset + done) / Self.chunkSize
      let start = (offset + done) % Self.chunkSize
      let part = min(count - done, Self.chunkSize - start)
      chunks[index].withUnsafeBytes { chunk in
        UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + part])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: chunk[start..<start + part]))
      }
      done += part
    }
    return count
  }

  /// All of them.
  package var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      filled = read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
    }
  }

  package mutating func resize(to newSize: Int) {
    let count = (newSize + Self.chunkSize - 1) / Self.chunkSize
    if newSize < size {
      chunks.removeLast(chunks.count - count)
      let tail = newSize % Self.chunkSize
      if tail > 0 {
        chunks[count - 1].withUnsafeMutableBytes { chunk in
          for index in tail..<Self.chunkSize { chunk[index] = 0 }
        }
      }
    }
    while chunks.count < count { chunks.append(Self.zeros) }
    size = newSize
  }

  /// Takes the bytes `range`, which lies in one chunk, from `other`; the size stays.
  mutating func take(_ range: Range<Int>, from other: Content) {
    let index = range.lowerBound / Self.chunkSize
    guard index < chunks.count, index < other.chunks.count else { return }
    if range.count == Self.chunkSize {
      chunks[index] = other.chunks[index]
      trim(index)
      return
    }
    let start = range.lowerBound % Self.chunkSize
    other.chunks[index].withUnsafeBytes { source in
      chunks[index].withUnsafeMutableBytes { target in
        UnsafeMutableRawBufferPointer(rebasing: target[start..<start + range.count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + range.count]))
      }
    }
    trim(index)
  }

  private mutating func trim(_ index: Int) {
    let end = size - index * Self.chunkSize
    guard end < Self.chunkSize else { return }
    chunks[index].withUnsafeMutableBytes { chunk in
      for position in max(0, end)..<Self.chunkSize { chunk[position] = 0 }
    }
  }

  /// Whether the first `count` bytes are those of `bytes`.
  package func hasPrefix(_ bytes: [UInt8], count: Int) -> Bool { commonPrefix(bytes, count: count) == count }

  /// How many of the first `count` bytes are those of `bytes`, up to the first chunk that differs and in it
  /// up to the byte.
  package func commonPrefix(_ bytes: [UInt8], count: Int) -> Int {
    let limit = min(count, min(size, bytes.count))
    return bytes.withUnsafeBytes { expected in
      var offset = 0
      while offset < limit {
        let part = min(limit - offset, Self.chunkSize)
        let isEqual = chunks[offset / Self.chunkSize].withUnsafeBytes { actual in
          memcmp(actual.baseAddress!, expected.baseAddress! + offset, part) == 0
        }
        if !isEqual {
          chunks[offset / Self.chunkSize].withUnsafeBytes { actual in
            while actual[offset % Self.chunkSize] == expected[offset] { offset += 1 }
          }
          return offset
        }
        offset += part
      }
      return limit
    }
  }

  package func isEqual(to bytes: [UInt8]) -> Bool { size == bytes.count && hasPrefix(bytes, count: size) }
}
