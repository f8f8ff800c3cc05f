// The casts between libuv's handle types, and what all handles have in common.

internal import CUV
internal import SpliceBase

/// The life of a handle. Its memory belongs to libuv until `closed`.
enum HandleState {
  case open
  case closing
  case closed
}

/// Every handle struct begins with the fields of `uv_handle_t`.
@inline(__always)
func baseHandle<Handle>(_ handle: UnsafeMutablePointer<Handle>) -> UnsafeMutablePointer<uv_handle_t> {
  // SAFETY: libuv's documented inheritance; only called with handle types.
  UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
}

/// The owner that a handle's `data` holds, lent for the duration of `body`: no reference counting.
@inline(__always)
func withOwner<Owner: AnyObject>(
  _ data: UnsafeMutableRawPointer?, _ type: Owner.Type, _ body: (Owner) -> Void
) {
  guard let data else { panic("a libuv callback came for a handle without an owner") }
  // LIFETIME: borrows the +1 that init took; the close callback, never inside this one, gives it back.
  Unmanaged<Owner>.fromOpaque(data)._withUnsafeGuaranteedRef { body($0) }
}

/// The owner that a handle's `data` holds, with the reference that `init` took.
@inline(__always)
func takeOwner<Owner: AnyObject>(_ data: UnsafeMutableRawPointer?, _ type: Owner.Type) -> Owner {
  guard let data else { panic("a libuv callback came for a handle without an owner") }
  // LIFETIME: the +1 of init or submit comes back here.
  return Unmanaged<Owner>.fromOpaque(data).takeRetainedValue()
}
