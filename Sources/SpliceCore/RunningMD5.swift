// MD5 of a prefix, which the Qt clients compare. By libmd; the only file that knows the library.

internal import CDigest
package import SpliceBase

/// A running MD5: more bytes may follow a digest, and between two of its own blocks of 64 bytes its state is a
/// value that can be kept.
///
/// It tells equal files from different ones by accident only, as everywhere in this protocol: MD5 is broken for
/// everything else.
package final class RunningMD5 {
  /// A state is a value only behind a multiple of this.
  package static let blockSize: UInt64 = 64
  package static let byteCount = 16

  private let context: UnsafeMutableRawPointer
  /// Bytes so far.
  package private(set) var count: UInt64 = 0

  package init() {
    guard let context = csplice_md5_create() else { panic("no memory for a hash state") }
    self.context = context
  }

  /// Goes on behind `count` bytes, a multiple of `blockSize`, that left this state.
  package convenience init(state: Digest, count: UInt64) {
    self.init()
    require(count % Self.blockSize == 0, "MD5 goes on between two of its blocks")
    var bytes: [UInt8] = []
    state.append(to: &bytes, count: Self.byteCount)
    csplice_md5_set_state(context, bytes, count)
    self.count = count
  }

  deinit { csplice_md5_free(context) }

  package func update(_ bytes: UnsafeRawBufferPointer) {
    if bytes.isEmpty { return }
    csplice_md5_update(context, bytes.baseAddress, bytes.count)
    count += UInt64(bytes.count)
  }

  /// Of everything so far.
  package var digest: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, filled in
      csplice_md5_digest(context, buffer.baseAddress)
      filled = Self.byteCount
    }
  }

  /// What `init(state:count:)` takes; `count` must be a multiple of `blockSize`.
  package var state: Digest {
    require(count % Self.blockSize == 0, "MD5 is kept between two of its blocks")
    return Digest(
      bytes: [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, filled in
        csplice_md5_get_state(context, buffer.baseAddress)
        filled = Self.byteCount
      })
  }
}
