// Digests of bytes, by libxxhash. The only file that knows the library.

internal import CXXHash
package import SpliceBase

/// A running XXH3-128 digest: bytes in any pieces, one digest at the end.
///
/// One hasher serves one file for as long as it is open; it allocates once.
package final class BlockHasher {
  private let state: OpaquePointer

  package init() {
    guard let state = XXH3_createState() else { panic("no memory for a hash state") }
    self.state = state
    reset()
  }

  deinit { XXH3_freeState(state) }

  package func reset() {
    require(XXH3_128bits_reset(state) == XXH_OK, "a hash state can be reset")
  }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    // libxxhash 0.8.0 refuses the null pointer of an empty buffer.
    if bytes.isEmpty { return }
    require(XXH3_128bits_update(state, bytes.baseAddress, bytes.count) == XXH_OK, "bytes can be hashed")
  }

  /// The digest of everything since the last reset. The state is unchanged: more may follow.
  package func digest() -> Digest {
    let hash = XXH3_128bits_digest(state)
    return Digest(high: hash.high64, low: hash.low64)
  }

  package static func digest(of bytes: UnsafeRawBufferPointer) -> Digest {
    let hash = XXH3_128bits(bytes.baseAddress, bytes.count)
    return Digest(high: hash.high64, low: hash.low64)
  }

  package static func digest(of bytes: [UInt8]) -> Digest { bytes.withUnsafeBytes { digest(of: $0) } }

  /// A 64-bit check for records on disk. Chaining the previous check as `seed` makes the order count.
  package static func check(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    XXH3_64bits_withSeed(bytes.baseAddress, bytes.count, seed)
  }
}
