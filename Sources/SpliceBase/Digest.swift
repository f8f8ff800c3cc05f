// A digest as a value: 32 bytes, whichever algorithm made it.

/// The digest of a block, of a prefix, or of a file.
///
/// Algorithms with shorter digests fill the first bytes and leave the rest zero, so that every
/// digest field of the protocol has one size.
package struct Digest: Equatable, Sendable {
  package static let byteCount = 32
  package static let zero = Digest(words: (0, 0, 0, 0))

  /// The 32 bytes, as they stand in memory.
  private var words: (UInt64, UInt64, UInt64, UInt64)

  private init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// The digest whose first 16 bytes are `high`, then `low`, in network order.
  package init(high: UInt64, low: UInt64) { words = (high.bigEndian, low.bigEndian, 0, 0) }

  /// `bytes`: 32 at most; missing ones are zero.
  package init(bytes: some Collection<UInt8>) {
    require(bytes.count <= Self.byteCount, "a digest has at most 32 bytes")
    words = (0, 0, 0, 0)
    withUnsafeMutableBytes(of: &words) { raw in
      var index = 0
      for byte in bytes {
        raw[index] = byte
        index += 1
      }
    }
  }

  package static func == (left: Digest, right: Digest) -> Bool {
    left.words.0 == right.words.0 && left.words.1 == right.words.1 && left.words.2 == right.words.2
      && left.words.3 == right.words.3
  }

  /// Calls `body` with the 64 bytes of `first` and `second`, without an allocation.
  package static func withBytes<Value>(
    _ first: Digest, _ second: Digest, _ body: (UnsafeRawBufferPointer) -> Value
  ) -> Value {
    withUnsafeBytes(of: (first.words, second.words), body)
  }

  /// Appends the first `count` bytes (0 to 32).
  package func append(to output: inout [UInt8], count: Int = Digest.byteCount) {
    withUnsafeBytes(of: words) { output.append(contentsOf: $0.prefix(count)) }
  }
}

extension ByteReader {
  package mutating func digest(count: Int = Digest.byteCount) throws(Truncated) -> Digest {
    Digest(bytes: try bytes(count))
  }
}
