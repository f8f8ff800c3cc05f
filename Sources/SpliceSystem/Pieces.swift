// Gathered output: Swift's buffer pointers laid out as the kernel's iovecs, on the stack.

internal import CPlatform

/// Pieces of one kernel call. A chunk of 1 MiB in pooled buffers of 16 KiB is one call.
let pieceCountMax = 64

/// Calls `body` with at most `pieceCountMax` of `pieces` as iovecs and their count. No allocation.
@inline(__always)
func withShimPieces<Result>(
  _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>,
  _ body: (UnsafeMutablePointer<csplice_piece>, Int) -> Result
) -> Result {
  let count = min(pieces.count, pieceCountMax)
  return withUnsafeTemporaryAllocation(of: csplice_piece.self, capacity: pieceCountMax) { shim in
    for index in 0..<count {
      let piece = pieces[index]
      shim.initializeElement(at: index, to: csplice_piece(base: piece.baseAddress, count: piece.count))
    }
    // SAFETY: the allocation has a capacity above zero, so it has an address.
    return body(shim.baseAddress.unsafelyUnwrapped, count)
  }
}
