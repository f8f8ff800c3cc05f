// Invariants that are checked in every build, and the one way to stop the process when one is broken.

internal import CPlatform

/// Stops the process when an invariant of our own is broken.
///
/// For our bugs only. What a peer, an operator or a disk can cause is an error with a type, never this.
@inline(__always)
package func require(
  _ condition: @autoclosure () -> Bool, _ message: StaticString, file: StaticString = #fileID,
  line: UInt32 = #line
) {
  if !condition() { panic(message, file: file, line: line) }
}

/// Writes `message` with its place to standard error and aborts. Any thread.
package func panic(_ message: StaticString, file: StaticString = #fileID, line: UInt32 = #line) -> Never {
  csplice_panic(
    UnsafeRawPointer(message.utf8Start).assumingMemoryBound(to: CChar.self), message.utf8CodeUnitCount,
    UnsafeRawPointer(file.utf8Start).assumingMemoryBound(to: CChar.self), file.utf8CodeUnitCount, line)
}
