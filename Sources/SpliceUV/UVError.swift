// libuv's error numbers as a typed error.

internal import CUV

/// Why a libuv call failed. On Linux the number is a negative errno, or one of the resolver's own.
package struct UVError: Error, Equatable, Sendable {
  package let rawValue: Int32

  package init(rawValue: Int32) { self.rawValue = rawValue }

  package static let canceled = UVError(rawValue: UV_ECANCELED.rawValue)
  package static let invalid = UVError(rawValue: UV_EINVAL.rawValue)
  /// The resolver knows no such host.
  package static let noName = UVError(rawValue: UV_EAI_NONAME.rawValue)
  /// The resolver could not ask now; later it may.
  package static let tryAgain = UVError(rawValue: UV_EAI_AGAIN.rawValue)

  /// Appends what happened, as the end of a sentence. The corresponding C function is `uv_strerror_r`.
  package func describe(into text: inout [UInt8]) {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 160) { buffer in
      _ = uv_strerror_r(rawValue, buffer.baseAddress, buffer.count)
      for index in 0..<buffer.count {
        if buffer[index] == 0 { break }
        text.append(UInt8(bitPattern: buffer[index]))
      }
    }
  }
}

/// Throws what a libuv function reported by a negative result.
@inline(__always)
func check(_ result: Int32) throws(UVError) {
  if result < 0 { throw UVError(rawValue: result) }
}
