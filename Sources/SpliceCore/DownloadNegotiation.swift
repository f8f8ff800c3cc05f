// The receiver's side of one download's handshake: from GIVE to the offset where receiving begins.

package import SpliceBase
package import SpliceWire

/// Decides where a download continues. Pure: its owner has the local partial and talks to the peer.
///
/// The mirror of `UploadNegotiation`: here the client is the receiver, and still the one who searches.
package struct DownloadNegotiation: Equatable {
  /// What the client holds before it asks.
  package enum Local: Equatable {
    case nothing
    /// An unfinished download.
    case partial(PrefixProof, BlockGeometry)
    /// A finished file under the target's name, of this size.
    case complete(size: UInt64)
  }

  package enum Action: Equatable {
    /// DATA follows from `from`; what is held after it is cut off.
    case receive(from: UInt64, forked: Bool)
    /// Send RESUME with the proof of our first `bytes` bytes, then as for `receive`.
    case resume(bytes: UInt64, forked: Bool)
    /// Digest the finished local file; answer with `handleExistingProof`.
    case proveExisting
    /// Send PROBE; answer with `handleChain`.
    case probe([UInt64])
  }

  private enum State: Equatable {
    case wanting
    case provingExisting
    case searching(ForkSearch)
    case decided
  }

  private let local: Local
  private var state = State.wanting
  private var geometry = BlockGeometry(fileSize: 0)

  package init(_ local: Local) { self.local = local }

  /// The WANT that opens the download.
  package func want(path: [UInt8]) -> (message: Want, flags: FrameFlags) {
    switch local {
    case .nothing: (Want(held: 0, proof: .zero, path: path), [.start])
    case .partial(let proof, _): (Want(held: proof.bytes, proof: proof.digest, path: path), [.start])
    case .complete: (Want(held: 0, proof: .zero, path: path), [])
    }
  }

  package mutating func handleGive(_ give: Give) throws(SequenceError) -> Action {
    guard state == .wanting else { throw .unexpected(.give) }
    geometry = BlockGeometry(fileSize: give.size)
    guard give.blockSize == geometry.blockSize else { throw .outOfRange(give.blockSize) }
    switch local {
    case .nothing:
      // Without a proved prefix the server waits for RESUME, also when the prefix is empty.
      return decide(give.proved ? .receive(from: 0, forked: false) : .resume(bytes: 0, forked: false))
    case .complete(let size):
      if size == give.size {
        state = .provingExisting
        return .proveExisting
      }
      return decide(.resume(bytes: 0, forked: false))
    case .partial(let proof, let ours):
      if give.proved {
        guard proof.bytes <= give.size else { throw .outOfRange(proof.bytes) }
        // Digests over other blocks prove nothing.
        guard ours == geometry || proof.bytes == 0 else { throw .outOfRange(give.blockSize) }
        return decide(.receive(from: proof.bytes, forked: false))
      }
      if ours != geometry { return decide(.resume(bytes: 0, forked: true)) }
      return search(ForkSearch(blocks: geometry.wholeBlocks(in: min(proof.bytes, give.size))))
    }
  }

  /// The finished local file has this digest: let the peer say whether it is the same.
  package mutating func handleExistingProof(_ proof: PrefixProof) throws(SequenceError) -> Action {
    guard state == .provingExisting else { throw .unexpected(.give) }
    return decide(.resume(bytes: proof.bytes, forked: false))
  }

  package var probes: [UInt64] {
    if case .searching(let search) = state { return search.probes }
    return []
  }

  package mutating func handleChain(_ theirs: [Digest], ours: [Digest]) throws(SequenceError) -> Action {
    guard case .searching(var fork) = state else { throw .unexpected(.chain) }
    fork.handle(theirs: theirs, ours: ours)
    return search(fork)
  }

  private mutating func search(_ fork: ForkSearch) -> Action {
    if fork.isDone { return decide(.resume(bytes: fork.common * geometry.blockSize, forked: true)) }
    state = .searching(fork)
    return .probe(fork.probes)
  }

  private mutating func decide(_ action: Action) -> Action {
    state = .decided
    return action
  }
}
