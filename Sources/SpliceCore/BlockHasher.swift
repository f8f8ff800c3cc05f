// Digests of bytes, by libxxhash. The only file that knows the library.

internal import CDigest
package import SpliceBase

/// A running XXH3-128 digest: bytes in any pieces, one digest at the end.
///
/// One hasher serves one file for as long as it is open; it allocates once.
package final class BlockHasher {
  private let state: UnsafeMutableRawPointer

  package init() {
    guard let state = csplice_hasher_create() else { panic("no memory for a hash state") }
    self.state = state
  }

  deinit { csplice_hasher_free(state) }

  package func reset() { csplice_hasher_reset(state) }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    // libxxhash 0.8.0 refuses the null pointer of an empty buffer.
    if bytes.isEmpty { return }
    csplice_hasher_update(state, bytes.baseAddress, bytes.count)
  }

  /// The digest of everything since the last reset. The state is unchanged: more may follow.
  package func digest() -> Digest {
    var hash = csplice_digest()
    csplice_hasher_digest(state, &hash)
    return Digest(high: hash.high, low: hash.low)
  }

  package static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
    var hash = csplice_digest()
    csplice_digest(bytes.baseAddress, bytes.count, &hash)
    return Digest(high: hash.high, low: hash.low)
  }

  package static func digest(of bytes: [UInt8]) -> Digest { bytes.withUnsafeBytes { digest(of: $0) } }

  /// A 64-bit check for records on disk. Chaining the previous check as `seed` makes the order count.
  package static func check(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    csplice_check(bytes.baseAddress, bytes.count, seed)
  }
}
