// Which message may come when, at the receiver of a transfer.

import SpliceBase
import SpliceCore
import SpliceWire
import Testing

private let block = FakeFile.blockSize
private let source = FakeFile(blocks: 3, tail: 5)

private func receiver(_ steps: (inout TransferReceiver) throws -> Void) rethrows -> TransferReceiver {
  var receiver = TransferReceiver(size: source.size, geometry: source.geometry)
  try steps(&receiver)
  return receiver
}

private func commit(_ size: UInt64 = source.size) -> Commit { Commit(size: size, proof: source.proof.digest) }

/// The receiver in each of its states, by name.
private func states() throws -> [String: TransferReceiver] {
  var states: [String: TransferReceiver] = [:]
  states["opening"] = receiver { _ in }
  states["offered"] = receiver { $0.handleOpened(held: block) }
  states["receiving"] = try receiver {
    $0.handleOpened(held: block)
    try $0.handleResume(from: block)
  }
  states["received"] = try receiver {
    $0.handleOpened(held: source.size)
    try $0.handleResume(from: source.size)
  }
  states["rewinding"] = try receiver {
    $0.handleOpened(held: 2 * block)
    try $0.handleResume(from: 2 * block)
    #expect($0.handleDamage(blockStart: block) == true)
  }
  states["committing"] = try receiver {
    $0.handleOpened(held: source.size)
    try $0.handleResume(from: source.size)
    try $0.handleCommit(commit())
  }
  return states
}

/// Expects the refusal, and that nothing changed.
private func expectRefused(
  _ receiver: TransferReceiver, _ error: SequenceError, _ comment: Comment? = nil,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (inout TransferReceiver) throws -> Void
) {
  var copy = receiver
  #expect(throws: error, comment, sourceLocation: sourceLocation) { try body(&copy) }
  #expect(copy == receiver, comment, sourceLocation: sourceLocation)
}

@Suite("TransferReceiver") struct TransferReceiverTests {
  /// The whole table: a message that is not allowed in a state is refused and changes nothing.
  @Test("Every message in every wrong state is refused and leaves the state as it was")
  func messagesInWrongStates() throws {
    let next = DataPrefix.next(of: source, from: block)
    let allowed: [String: Set<FrameType>] = [
      "opening": [], "offered": [.probe, .resume], "receiving": [.data], "received": [.data, .commit],
      "rewinding": [.data, .commit], "committing": [],
    ]
    for (name, receiver) in try states() {
      let types = try #require(allowed[name])
      if !types.contains(.probe) {
        expectRefused(receiver, .unexpected(.probe), "\(name)") { try $0.handleProbe() }
      }
      if !types.contains(.resume) {
        expectRefused(receiver, .unexpected(.resume), "\(name)") { try $0.handleResume(from: 0) }
      }
      if !types.contains(.data) {
        expectRefused(receiver, .unexpected(.data), "\(name)") { _ = try $0.handleData(next) }
      }
      if !types.contains(.commit) && name != "receiving" {
        expectRefused(receiver, .unexpected(.commit), "\(name)") { try $0.handleCommit(commit()) }
      }
      #expect(receiver.isCommitting == (name == "committing"))
    }
  }

  /// Bytes that the server does not hold cannot be the prefix.
  @Test("RESUME behind what is held, or behind the end of the file, is refused")
  func resumeOutOfRange() throws {
    for held: UInt64 in [0, 1, block, source.size, source.size + 1, 9 * block, .max] {
      let offered = receiver { $0.handleOpened(held: held) }
      for from: UInt64 in [0, 1, block, source.size, source.size + 1, 9 * block, .max] {
        if from <= held && from <= source.size {
          var copy = offered
          try copy.handleResume(from: from)
          #expect(copy != offered)
        } else {
          expectRefused(offered, .outOfRange(from)) { try $0.handleResume(from: from) }
        }
      }
    }
  }

  /// The only data that is taken is the next piece, inside its block, with a digest exactly at its end.
  @Test("Data anywhere but at the next byte, across a block, or with a digest amiss is refused")
  func misplacedData() throws {
    let receiving = try #require(try states()["receiving"])
    let some = Digest(high: 1, low: 1)
    let wrong: [(offset: UInt64, count: UInt64, digest: Digest?)] = [
      (0, block, some), (block - 1, 1, some), (block + 1, block - 1, some), (2 * block, block, some),
      (block, block, nil), (block, block + 1, some), (block, block + 1, nil), (block, 2 * block, some),
      (block, block - 1, some), (block, 1, some), (block, 9 * block, nil), (.max, 1, nil),
      (.max - 5, block, some),
    ]
    for (offset, count, digest) in wrong {
      let prefix = DataPrefix(stream: 1, offset: offset, count: Int(count), blockDigest: digest)
      expectRefused(receiving, .misplacedData(offset: offset), "\(prefix)") { _ = try $0.handleData(prefix) }
    }
  }

  /// The last block is short, and its end is the end of the file.
  @Test("Data behind the end of the file is refused, and the last short block needs its digest")
  func dataAtTheEnd() throws {
    let atTail = try receiver {
      $0.handleOpened(held: 3 * block)
      try $0.handleResume(from: 3 * block)
    }
    let some = Digest(high: 1, low: 1)
    for (count, digest) in [(5, nil), (6, nil), (6, some), (4, some), (Int(block), some)] as [(Int, Digest?)]
    {
      let prefix = DataPrefix(stream: 1, offset: 3 * block, count: count, blockDigest: digest)
      expectRefused(atTail, .misplacedData(offset: 3 * block)) { _ = try $0.handleData(prefix) }
    }
    var copy = atTail
    let first = DataPrefix(stream: 1, offset: 3 * block, count: 4, blockDigest: nil)
    #expect(try copy.handleData(first) == .store)
    let last = DataPrefix(stream: 1, offset: 3 * block + 4, count: 1, blockDigest: some)
    #expect(try copy.handleData(last) == .store)
    try copy.handleCommit(commit())
    #expect(copy.isCommitting)
  }

  /// A size is in three places; the file is complete only when they are one.
  @Test("COMMIT before the last byte, or with another size, is refused")
  func commitBeforeComplete() throws {
    for held in stride(from: 0, to: source.size, by: 65_536) {
      let incomplete = try receiver {
        $0.handleOpened(held: held)
        try $0.handleResume(from: held)
      }
      expectRefused(incomplete, .outOfRange(source.size)) { try $0.handleCommit(commit()) }
      expectRefused(incomplete, .outOfRange(held)) { try $0.handleCommit(commit(held)) }
    }
    let complete = try #require(try states()["received"])
    for size in [0, source.size - 1, source.size + 1, .max] {
      expectRefused(complete, .outOfRange(size)) { try $0.handleCommit(commit(size)) }
    }
  }

  /// A file without bytes has a handshake all the same.
  @Test("An empty file is committed without any data")
  func emptyFile() throws {
    var receiver = TransferReceiver(size: 0, geometry: BlockGeometry(fileSize: 0))
    receiver.handleOpened(held: 0)
    try receiver.handleProbe()
    try receiver.handleResume(from: 0)
    #expect(throws: SequenceError.misplacedData(offset: 0)) {
      try receiver.handleData(DataPrefix(stream: 1, offset: 0, count: 1, blockDigest: .zero))
    }
    try receiver.handleCommit(Commit(size: 0, proof: .zero))
    #expect(receiver.isCommitting)
  }

  /// What was on its way is passed over until the block comes again, a COMMIT included.
  @Test("After damage everything but the damaged block is discarded")
  func rewinding() throws {
    var receiver = try #require(try states()["rewinding"])
    for offset: UInt64 in [2 * block, 3 * block, 0, block + 1, .max] {
      let stale = DataPrefix(stream: 1, offset: offset, count: 5, blockDigest: .zero)
      #expect(try receiver.handleData(stale) == .discard)
    }
    let before = receiver
    try receiver.handleCommit(commit())
    #expect(receiver == before && !receiver.isCommitting)
    #expect(try receiver.handleData(.next(of: source, from: block)) == .store)
    #expect(try receiver.handleData(.next(of: source, from: 2 * block)) == .store)
    #expect(throws: SequenceError.misplacedData(offset: block)) {
      try receiver.handleData(.next(of: source, from: block))
    }
  }

  /// Digests may be ready out of order. A later block's damage must not move an earlier rewind forward,
  /// or the blocks between them would be missing.
  @Test("Damage at or behind a place that is asked for already changes nothing")
  func damageBehindARewind() throws {
    let all = try receiver {
      $0.handleOpened(held: 0)
      try $0.handleResume(from: 0)
      for start in 0...3 { _ = try $0.handleData(.next(of: source, from: UInt64(start) * block)) }
    }
    for first in UInt64(0)...3 {
      for second in UInt64(0)...3 {
        var copy = all
        #expect(copy.handleDamage(blockStart: first * block) == true)
        #expect(copy.handleDamage(blockStart: second * block) == (second < first))
        let target = min(first, second) * block
        #expect(
          try copy.handleData(.next(of: source, from: target + (target == 3 * block ? 1 : block))) == .discard
        )
        #expect(try copy.handleData(.next(of: source, from: target)) == .store)
        // A late word about a block that was not taken since the rewind.
        let next = min(target + block, source.size)
        let before = copy
        #expect(!copy.handleDamage(blockStart: next) && copy == before)
      }
    }
  }

  /// Blocks are hashed after they are received; the last one's damage may be known after the COMMIT.
  @Test("Damage takes back a COMMIT, and only one sent after it counts")
  func damageWhileCommitting() throws {
    var receiver = try #require(try states()["committing"])
    #expect(receiver.handleDamage(blockStart: 3 * block) == true)
    #expect(!receiver.isCommitting)
    #expect(try receiver.handleData(.next(of: source, from: 3 * block)) == .store)
    #expect(!receiver.isCommitting)
    try receiver.handleCommit(commit())
    #expect(receiver.isCommitting)
  }

  /// Without a handshake there is nothing that could be damaged.
  @Test("Damage before any data changes nothing")
  func damageBeforeData() throws {
    for name in ["opening", "offered"] {
      var receiver = try #require(try states()[name])
      let before = receiver
      #expect(!receiver.handleDamage(blockStart: 0) && receiver == before)
    }
  }
}
