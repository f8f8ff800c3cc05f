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
  states["repeating"] = try receiver {
    $0.handleOpened(held: source.size)
    try $0.handleResume(from: source.size)
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
      "repeating": [.data, .commit], "committing": [],
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
        expectRefused(receiver, .unexpected(.data), "\(name)") { try $0.handleData(next) }
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
      expectRefused(receiving, .misplacedData(offset: offset), "\(prefix)") { try $0.handleData(prefix) }
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
      expectRefused(atTail, .misplacedData(offset: 3 * block)) { try $0.handleData(prefix) }
    }
    var copy = atTail
    let first = DataPrefix(stream: 1, offset: 3 * block, count: 4, blockDigest: nil)
    try copy.handleData(first)
    let last = DataPrefix(stream: 1, offset: 3 * block + 4, count: 1, blockDigest: some)
    try copy.handleData(last)
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

  /// What follows a damaged block is taken as ever; the block itself at any time, and COMMIT only behind it.
  @Test("A damaged block comes again while the rest goes on")
  func repeatBetweenOtherData() throws {
    let half = Int(block / 2)
    for turn in 1...3 {
      var receiver = try receiver {
        $0.handleOpened(held: 0)
        try $0.handleResume(from: 0)
        try $0.handleData(.next(of: source, from: 0))
        #expect($0.handleDamage(blockStart: 0) == true)
      }
      for start in 1...3 {
        let from = UInt64(start) * block
        if start == 3 {
          try receiver.handleData(.next(of: source, from: from))
        } else {
          try receiver.handleData(.next(of: source, from: from, part: UInt64(half)))
          if start == turn { try receiver.handleData(.next(of: source, from: 0)) }
          try receiver.handleData(.next(of: source, from: from + UInt64(half), part: UInt64(half)))
        }
      }
      try receiver.handleCommit(commit())
      #expect(receiver.isCommitting == (turn < 3))
      if turn == 3 {
        try receiver.handleData(.next(of: source, from: 0))
        try receiver.handleCommit(commit())
        #expect(receiver.isCommitting)
      }
    }
  }

  @Test("A block that comes again comes whole, and only once for each time it was damaged")
  func repeatsComeWholeAndOnce() throws {
    var receiver = try receiver {
      $0.handleOpened(held: 0)
      try $0.handleResume(from: 0)
      for start in 0...1 { try $0.handleData(.next(of: source, from: UInt64(start) * block)) }
    }
    let (first, second) = (DataPrefix.next(of: source, from: 0), DataPrefix.next(of: source, from: block))
    expectRefused(receiver, .misplacedData(offset: 0)) { try $0.handleData(first) }
    for start in [block, 0] { #expect(receiver.handleDamage(blockStart: start) == true) }
    // In the order of asking.
    expectRefused(receiver, .misplacedData(offset: 0)) { try $0.handleData(first) }
    try receiver.handleData(.next(of: source, from: block, part: 5))
    for prefix in [first, second, .next(of: source, from: 2 * block)] {
      expectRefused(receiver, .misplacedData(offset: prefix.offset)) { try $0.handleData(prefix) }
    }
    try receiver.handleData(.next(of: source, from: block + 5))
    expectRefused(receiver, .misplacedData(offset: block)) { try $0.handleData(second) }
    try receiver.handleData(first)
    expectRefused(receiver, .misplacedData(offset: 0)) { try $0.handleData(first) }
    #expect(receiver.handleDamage(blockStart: 0) == true)
    try receiver.handleData(first)
  }

  /// What a peer that never repeats can make us keep is bounded.
  @Test("Data far ahead of a block that does not come again is refused, and so are too many such blocks")
  func boundsOfWhatIsMissing() throws {
    let long = FakeFile(blocks: Int(Limits.blocksAheadMax) + 2)
    var receiver = TransferReceiver(size: long.size, geometry: long.geometry)
    receiver.handleOpened(held: 0)
    try receiver.handleResume(from: 0)
    try receiver.handleData(.next(of: long, from: 0))
    #expect(receiver.handleDamage(blockStart: 0) == true)
    for start in 1..<Limits.blocksAheadMax { try receiver.handleData(.next(of: long, from: start * block)) }
    let next = DataPrefix.next(of: long, from: Limits.blocksAheadMax * block)
    expectRefused(receiver, .overdue(offset: 0)) { try $0.handleData(next) }
    for start in 1..<UInt64(Limits.repeatsMax) { #expect(receiver.handleDamage(blockStart: start * block) == true) }
    let before = receiver
    #expect(!receiver.handleDamage(blockStart: 100 * block) && receiver == before)
    try receiver.handleData(.next(of: long, from: 0))
    #expect(receiver.handleDamage(blockStart: 100 * block) == true)
    try receiver.handleData(next)
  }

  /// Blocks are hashed after they are received; the last one's damage may be known after the COMMIT.
  @Test("Damage takes back a COMMIT, and only one sent after it counts")
  func damageWhileCommitting() throws {
    var receiver = try #require(try states()["committing"])
    #expect(receiver.handleDamage(blockStart: 3 * block) == true)
    #expect(!receiver.isCommitting)
    try receiver.handleData(.next(of: source, from: 3 * block))
    #expect(!receiver.isCommitting)
    try receiver.handleCommit(commit())
    #expect(receiver.isCommitting)
  }
}
