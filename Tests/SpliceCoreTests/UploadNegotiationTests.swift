// What the sender of an upload makes of the receiver's answers.

import SpliceBase
import SpliceCore
import SpliceWire
import Testing

private let source = FakeFile(blocks: 3, tail: 5)

private func have(_ state: HaveState, _ held: FakeFile, blockSize: UInt64 = FakeFile.blockSize) -> Have {
  Have(state: state, blockSize: blockSize, bytes: held.size, proof: held.proof.digest, freeSpace: 0)
}

@Suite("UploadNegotiation") struct UploadNegotiationTests {
  /// A digest over other blocks cannot be compared, so nothing before it is proved.
  @Test("A partial with other blocks is begun anew")
  func otherBlockSize() throws {
    for state in [HaveState.partial, .complete] {
      var client = UploadNegotiation(size: source.size, policy: .replace)
      let action = try client.handleHave(have(state, source, blockSize: 2 << 20))
      guard case .resume(bytes: 0, forked: _) = action else {
        Issue.record("\(action)")
        continue
      }
    }
  }

  /// An answer without an own proof would let a peer choose the offset.
  @Test("A partial is never continued before the source was digested")
  func provesFirst() throws {
    var client = UploadNegotiation(size: source.size, policy: .replace)
    #expect(try client.handleHave(have(.partial, source)) == .proveSource(bytes: source.size))
    #expect(client.probes.isEmpty)
    #expect(try client.handleOwnProof(source.proof) == .resume(bytes: source.size, forked: false))
  }

  /// The peer's number is not believed further than the source goes.
  @Test("Of a partial longer than the source only the source is digested")
  func partialLongerThanSource() throws {
    for bytes: UInt64 in [source.size + 1, 1 << 40, .max] {
      var client = UploadNegotiation(size: source.size, policy: .replace)
      let claim = Have(
        state: .partial, blockSize: 1 << 20, bytes: bytes, proof: source.proof.digest, freeSpace: 0)
      #expect(try client.handleHave(claim) == .proveSource(bytes: source.size))
      #expect(try client.handleOwnProof(source.proof) == .probe([1, 2, 3]))
    }
  }

  /// Each answer belongs to one question.
  @Test("Every answer in every wrong state is refused and leaves the state as it was")
  func answersInWrongStates() throws {
    let offering = UploadNegotiation(size: source.size, policy: .replace)
    var proving = offering
    _ = try proving.handleHave(have(.partial, FakeFile(blocks: 3, fork: 1)))
    var searching = proving
    _ = try searching.handleOwnProof(source.proof(bytes: 3 << 20))
    var decided = searching
    let probes = searching.probes
    #expect(probes == [1, 2, 3])
    let theirs = FakeFile(blocks: 3, fork: 1).chain(probes)
    #expect(
      try decided.handleChain(theirs, ours: source.chain(probes)) == .resume(bytes: 1 << 20, forked: true))
    for (state, allowed) in [(offering, 0), (proving, 1), (searching, 2), (decided, 3)] {
      var copy = state
      if allowed != 0 {
        #expect(throws: SequenceError.unexpected(.have)) { try copy.handleHave(have(.nothing, source)) }
      }
      if allowed != 1 {
        #expect(throws: SequenceError.unexpected(.have)) { try copy.handleOwnProof(source.proof) }
      }
      if allowed != 2 {
        #expect(throws: SequenceError.unexpected(.chain)) { try copy.handleChain([], ours: []) }
        #expect(copy.probes.isEmpty)
      }
      #expect(copy == state)
    }
  }

  /// A server that lies about its digests can waste its own time only.
  @Test("A peer that answers every probe with nonsense is sent the whole file")
  func nonsense() throws {
    var client = UploadNegotiation(size: source.size, policy: .replace)
    _ = try client.handleHave(have(.partial, FakeFile(blocks: 3, fork: 1)))
    _ = try client.handleOwnProof(source.proof(bytes: 3 << 20))
    let ours = source.chain(client.probes)
    #expect(
      try client.handleChain(Array(repeating: .zero, count: 64), ours: ours)
        == .resume(bytes: 0, forked: true))
  }
}
