// What crosses between C and Swift: strings, options, errors.

internal import CSplice
internal import SpliceBase
internal import SpliceEngine
internal import SpliceSystem

/// The bytes of a C string; nil for NULL.
func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
  guard let text else { return nil }
  var bytes: [UInt8] = []
  var index = 0
  while text[index] != 0 {
    bytes.append(UInt8(bitPattern: text[index]))
    index += 1
  }
  return bytes
}

/// Lends `bytes` as a C string. What is behind a NUL in them is not seen.
func withText(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Void) {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { text in
    for (index, byte) in bytes.enumerated() { text[index] = CChar(bitPattern: byte) }
    text[bytes.count] = 0
    // SAFETY: the allocation has a capacity above zero, so it has an address.
    body(UnsafePointer(text.baseAddress.unsafelyUnwrapped))
  }
}

extension StaticString {
  /// The compiler ends the literal with NUL.
  var text: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}

/// Copies what the caller set over `copy`, whose fields are all zero, and stay so where the caller is older
/// than a field. Every struct of options begins with its size.
///
/// - Throws: `newerOptions` when something is set that did not exist when this was compiled.
func read<Options>(_ options: UnsafePointer<Options>?, over copy: inout Options) throws(Failure) {
  guard let options else { return }
  let raw = UnsafeRawPointer(options)
  let size = raw.load(as: Int.self)
  let known = MemoryLayout<Options>.size
  guard size >= MemoryLayout<Int>.size, size <= 1 << 16 else {
    throw Failure(.invalidArgument, [UInt8]("the size of the options is not set"))
  }
  for offset in known..<max(known, size) where raw.load(fromByteOffset: offset, as: UInt8.self) != 0 {
    throw Failure(.newerOptions)
  }
  withUnsafeMutableBytes(of: &copy) {
    $0.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: min(size, known)))
  }
}

/// Runs `body`, and makes a number for C of what it throws.
func report(_ error: UnsafeMutablePointer<splice_error>?, _ body: () throws(Failure) -> Void) -> Int32 {
  do throws(Failure) {
    try body()
    return 0
  } catch let failure {
    if let error {
      error.pointee.code = failure.code.rawValue
      error.pointee.os_error = failure.cause?.rawValue ?? 0
      withUnsafeMutableBytes(of: &error.pointee.text) { text in
        let count = min(failure.text.count, text.count - 1)
        for index in 0..<count { text[index] = failure.text[index] }
        text[count] = 0
      }
    }
    return failure.code.rawValue
  }
}

/// The object behind a handle that C holds.
///
/// - Throws: `invalidArgument` for NULL.
func object<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) throws(Failure) -> Object {
  guard let handle else { throw Failure(.invalidArgument) }
  // LIFETIME: the handle holds the +1 of `makeHandle` until it is freed.
  return Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
}

/// LIFETIME: +1 for C, given back in `releaseHandle`.
func makeHandle(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

func releaseHandle<Object: AnyObject>(_ handle: OpaquePointer?, _ type: Object.Type) {
  guard let handle else { return }
  // LIFETIME: the +1 of `makeHandle`.
  Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release()
}

@c @implementation
public func splice_strerror(_ code: Int32) -> UnsafePointer<CChar>! { FailureCode(rawValue: code).sentence.text }

@c @implementation
public func splice_version() -> UnsafePointer<CChar>! { programVersion.text }
