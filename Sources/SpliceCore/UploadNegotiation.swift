// The sender's side of one upload's handshake: from HAVE to the offset where sending begins.

package import SpliceBase
package import SpliceWire

/// Decides where an upload continues. Pure: its owner hashes the source and talks to the peer.
///
/// `handleHave` comes first; each returned action must be performed and answered by the named call.
package struct UploadNegotiation: Equatable {
  package enum Action: Equatable {
    /// Digest the first `bytes` bytes of the source; answer with `handleOwnProof`.
    case proveSource(bytes: UInt64)
    /// Send PROBE; answer with `handleChain`.
    case probe([UInt64])
    /// Send RESUME with the proof of the source's first `bytes` bytes, then the data from there.
    /// `forked`: the receiver held something else after that.
    case resume(bytes: UInt64, forked: Bool)
    /// The receiver has the very file; there is nothing to send.
    case alreadyThere
  }

  private enum State: Equatable {
    case offering
    case proving(Have)
    case searching(ForkSearch)
    case decided
  }

  package let size: UInt64
  package let geometry: BlockGeometry
  private let policy: OfferPolicy
  private var state = State.offering

  package init(size: UInt64, policy: OfferPolicy) {
    self.size = size
    self.policy = policy
    geometry = BlockGeometry(fileSize: size)
  }

  package mutating func handleHave(_ have: Have) throws(SequenceError) -> Action {
    guard state == .offering else { throw .unexpected(.have) }
    switch have.state {
    case .complete where policy == .ifAbsent: return decide(.alreadyThere)
    case .complete where have.bytes == size && have.blockSize == geometry.blockSize,
      .partial where have.bytes > 0 && have.blockSize == geometry.blockSize:
      let bytes = min(have.bytes, size)
      state = .proving(have)
      return .proveSource(bytes: bytes)
    case .complete, .partial, .nothing, .invalid:
      return decide(.resume(bytes: 0, forked: have.bytes > 0))
    }
  }

  /// - Parameter proof: of as many bytes of the source as were asked for.
  package mutating func handleOwnProof(_ proof: PrefixProof) throws(SequenceError) -> Action {
    guard case .proving(let have) = state else { throw .unexpected(.have) }
    let theirs = PrefixProof(bytes: have.bytes, digest: have.proof)
    if AgreedPrefix(ours: proof, theirs: theirs) != nil {
      return decide(have.state == .complete ? .alreadyThere : .resume(bytes: have.bytes, forked: false))
    }
    // A finished file is replaced as a whole; only a partial has bytes to keep.
    if have.state == .complete { return decide(.resume(bytes: 0, forked: false)) }
    return search(ForkSearch(blocks: geometry.wholeBlocks(in: proof.bytes)))
  }

  /// The prefix lengths, in blocks, that `handleChain` needs our digests for.
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
