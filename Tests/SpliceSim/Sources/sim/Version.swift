// What a file holds at one time of its life, and how it came from what it held before.

internal import SpliceBase

/// One content of one file. Its time is its own: it tells versions apart in every message.
final class Version {
  let number: Int
  let bytes: [UInt8]
  let modified: Timestamp
  /// Another version was written into the same file: who reads it now may see both, and finds out at the end.
  var isOverwritten = false
  var size: Int { bytes.count }

  init(_ number: Int, _ bytes: [UInt8]) {
    self.number = number
    self.bytes = bytes
    modified = Timestamp(
      seconds: 1_600_000_000 + Int64(number) * 7, nanoseconds: UInt32(number % 999) * 1_000_003)
  }

  /// The same bytes: nobody who reads them can tell these two apart.
  func isSame(_ other: Version) -> Bool { self === other || bytes == other.bytes }

  /// How many bytes both begin with.
  func commonPrefix(_ other: Version) -> Int {
    let limit = min(size, other.size)
    return bytes.withUnsafeBytes { mine in
      other.bytes.withUnsafeBytes { theirs in
        var offset = 0
        while offset + 8 <= limit,
          mine.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            == theirs.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        { offset += 8 }
        while offset < limit, mine[offset] == theirs[offset] { offset += 1 }
        return offset
      }
    }
  }

  /// Bytes that cost little to make and are nowhere the same.
  static func noise(_ count: Int, _ random: inout Random) -> [UInt8] {
    var generator = random
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      let raw = UnsafeMutableRawBufferPointer(buffer)
      var offset = 0
      while offset + 8 <= count {
        raw.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
        offset += 8
      }
      while offset < count {
        raw[offset] = UInt8(truncatingIfNeeded: generator.next())
        offset += 1
      }
      filled = count
    }
    random = generator
    return bytes
  }
}
