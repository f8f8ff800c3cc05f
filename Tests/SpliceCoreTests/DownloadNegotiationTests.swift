// What the receiver of a download makes of the sender's answers.

import SpliceBase
import SpliceCore
import SpliceWire
import Testing

private let file = FakeFile(blocks: 3, tail: 5)
private let held = FakeFile(blocks: 2, fork: 1)
private let geometry = BlockGeometry(fileSize: 0)

private func give(_ size: UInt64 = file.size, proved: Bool, blockSize: UInt64? = nil) -> Give {
  Give(
    proved: proved, mode: 0, size: size, modified: Timestamp(seconds: 0, nanoseconds: 0),
    blockSize: blockSize ?? BlockGeometry(fileSize: size).blockSize, version: 1)
}

@Suite("DownloadNegotiation") struct DownloadNegotiationTests {
  /// What the client says of itself before it knows anything of the file.
  @Test("WANT names what is held, and asks for the start unless a finished file may be the same")
  func wants() {
    let path = [UInt8]("a/b")
    let nothing = DownloadNegotiation(.nothing).want(path: path)
    #expect(nothing.message == Want(held: 0, proof: .zero, path: path) && nothing.flags == .start)
    let partial = DownloadNegotiation(.partial(held.proof, geometry)).want(path: path)
    #expect(partial.message == Want(held: held.size, proof: held.proof.digest, path: path))
    #expect(partial.flags == .start)
    let complete = DownloadNegotiation(.complete(size: 7)).want(path: path)
    #expect(complete.message == Want(held: 0, proof: .zero, path: path) && complete.flags == [])
  }

  /// Both ends derive the block size; a peer that has another one does not speak this protocol.
  @Test("GIVE with a block size that does not fit its size is refused")
  func badBlockSizes() {
    for local in [
      DownloadNegotiation.Local.nothing, .partial(held.proof, geometry), .complete(size: file.size),
    ] {
      for blockSize: UInt64 in [0, 1, 3, 2 << 20, 1 << 63, .max] {
        var client = DownloadNegotiation(local)
        let error = SequenceError.outOfRange(blockSize)
        #expect(throws: error) { try client.handleGive(give(proved: true, blockSize: blockSize)) }
        #expect(throws: error) { try client.handleGive(give(proved: false, blockSize: blockSize)) }
      }
    }
  }

  /// A prefix longer than the file, or over blocks of another size, is no prefix of it.
  @Test("A proof that cannot be one is refused")
  func impossibleProofs() throws {
    var client = DownloadNegotiation(.partial(held.proof, geometry))
    #expect(throws: SequenceError.outOfRange(held.size)) {
      try client.handleGive(give(held.size - 1, proved: true))
    }
    var other = DownloadNegotiation(.partial(held.proof, geometry))
    #expect(throws: SequenceError.outOfRange(2 << 20)) { try other.handleGive(give(1 << 41, proved: true)) }
    var empty = DownloadNegotiation(.partial(.empty(geometry), geometry))
    #expect(try empty.handleGive(give(1 << 41, proved: true)) == .receive(from: 0, forked: false))
  }

  /// Without a common measure nothing is common.
  @Test("A partial over other blocks is begun anew")
  func otherBlockSize() throws {
    var client = DownloadNegotiation(.partial(held.proof, geometry))
    #expect(try client.handleGive(give(1 << 41, proved: false)) == .resume(bytes: 0, forked: true))
  }

  /// GIVE without a proof means that the server waits; so the client may not.
  @Test("A client with nothing asks again when its empty prefix is not proved")
  func nothingNotProved() throws {
    var client = DownloadNegotiation(.nothing)
    #expect(try client.handleGive(give(proved: false)) == .resume(bytes: 0, forked: false))
    var other = DownloadNegotiation(.nothing)
    #expect(try other.handleGive(give(proved: true)) == .receive(from: 0, forked: false))
  }

  /// Each answer belongs to one question.
  @Test("Every answer in every wrong state is refused and leaves the state as it was")
  func answersInWrongStates() throws {
    let wanting = DownloadNegotiation(.partial(held.proof, geometry))
    var proving = DownloadNegotiation(.complete(size: file.size))
    #expect(try proving.handleGive(give(proved: true)) == .proveExisting)
    var searching = wanting
    #expect(try searching.handleGive(give(proved: false)) == .probe([1, 2]))
    var decided = searching
    let probes = searching.probes
    let action = try decided.handleChain(file.chain(probes), ours: held.chain(probes))
    #expect(action == .resume(bytes: 1 << 20, forked: true))
    for (state, allowed) in [(wanting, 0), (proving, 1), (searching, 2), (decided, 3)] {
      var copy = state
      if allowed != 0 {
        #expect(throws: SequenceError.unexpected(.give)) { try copy.handleGive(give(proved: true)) }
      }
      if allowed != 1 {
        #expect(throws: SequenceError.unexpected(.give)) { try copy.handleExistingProof(file.proof) }
      }
      if allowed != 2 {
        #expect(throws: SequenceError.unexpected(.chain)) { try copy.handleChain([], ours: []) }
        #expect(copy.probes.isEmpty)
      }
      #expect(copy == state)
    }
  }
}
