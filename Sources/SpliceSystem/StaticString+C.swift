// Literals as C strings.

extension StaticString {
  /// Terminated and immortal, because the compiler lays literals out that way.
  var shimText: UnsafePointer<CChar> { UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self) }
}
