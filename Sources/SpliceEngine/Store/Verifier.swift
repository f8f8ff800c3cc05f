// Reads a finished file again and compares it with what was recorded when it was stored.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
package import SpliceWire

/// Goes through one file in steps. Blocking: call it on a thread of the pool.
package final class Verifier {
  /// Bytes read by one step.
  private static let budget: UInt64 = 64 << 20

  private let source: Source
  private let hadRecord: Bool
  private var chain: PrefixChain
  private var damagedFrom: UInt64?
  /// Bytes read so far.
  package private(set) var bytes: UInt64 = 0

  package init(_ source: Source) throws(StoreError) {
    self.source = source
    // What is read as a whole is worth looking at the whole record of: its damage is not the file's.
    do throws(Errno) { try source.book.recheck() } catch { throw StoreError(error, otherwise: .readFailed) }
    hadRecord = source.book.isComplete && source.size > 0
    chain = PrefixChain(source.geometry)
  }

  /// Reads on. Returns the result when the whole file was read.
  package func advance() throws(StoreError) -> Verification? {
    let goal = min(bytes + Self.budget, source.size)
    do throws(Errno) {
      while bytes < goal {
        let end = source.geometry.blockEnd(bytes, fileSize: source.size)
        let digest = try source.digestOfBytes(from: bytes, to: end)
        if hadRecord {
          let recorded = try source.book.digests(from: chain.blocks, count: 1)
          // A record that vanishes meanwhile says nothing about the file.
          guard let recorded = recorded.first else { throw .inputOutput }
          if recorded != digest, damagedFrom == nil { damagedFrom = bytes }
        } else if source.book.blocks == chain.blocks {
          try source.book.append(digest)
        }
        chain.append(digest)
        bytes = end
      }
    } catch {
      throw StoreError(error, otherwise: .readFailed)
    }
    guard bytes == source.size else { return nil }
    if try source.hasChanged() { throw StoreError(.changed) }
    let state: VerifyState = damagedFrom != nil ? .damaged : hadRecord ? .intact : .recorded
    return Verification(
      state: state, size: source.size, proof: chain.digest, damagedFrom: damagedFrom ?? 0)
  }
}
