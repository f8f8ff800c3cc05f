// What a connection reads and writes through: a plain socket now; TLS goes beside it.

package import SpliceSystem

/// A byte stream over a descriptor that can be polled. Calls never block.
///
/// - Threads: one may receive while another does everything else. `close` comes last of all.
package protocol Transport: AnyObject {
  /// What to poll for readiness.
  var descriptor: Int32 { get }
  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Received
  /// Returns how many bytes went, or nil when none can go now. `more`: something follows at once.
  func send(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, more: Bool) throws(Errno) -> Int?
  /// Sends from a file without a copy in user space. Returns 0 when the file ends before `offset`.
  func sendFile(_ file: Int32, at offset: UInt64, count: Int) throws(Errno) -> Int?
  func shutdownWrite() throws(Errno)
  func close()
}

extension Socket: Transport {}
