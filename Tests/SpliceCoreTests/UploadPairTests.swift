// Both ends of an upload, played against each other without a socket or a disk.

import SpliceBase
import SpliceCore
import SpliceWire
import Testing

/// What the server has under the offered path before the upload.
private enum Stored {
  case nothing
  case partial(FakeFile)
  case complete(FakeFile)
}

/// One upload: the client's negotiation, the server's machine, and the frames between them.
private struct UploadPair {
  let source: FakeFile
  var client: UploadNegotiation
  var server: TransferReceiver
  /// What the server has under the name of the stage.
  var stage = FakeFile(blocks: 0)
  /// How much of each block is written and right.
  var held: [UInt64] = []
  var rounds = 0
  var sent: UInt64 = 0
  var resumedFrom: UInt64?
  var forked: Bool?
  var alreadyThere = false

  /// Blocks that are damaged on the way, each as often as it is named.
  var damage: [UInt64] = []
  /// Frames that arrive after a damaged one before the client hears of it.
  var lag = 0
  /// Bytes in one frame, at most.
  var frame = FakeFile.blockSize

  init(_ source: FakeFile, policy: OfferPolicy = .replace) {
    self.source = source
    client = UploadNegotiation(size: source.size, policy: policy)
    server = TransferReceiver(size: source.size, geometry: source.geometry)
  }

  mutating func run(_ stored: Stored) throws {
    let held: FakeFile
    let state: HaveState
    switch stored {
    case .nothing: (held, state) = (FakeFile(blocks: 0), .nothing)
    case .partial(let file): (held, state) = (file, .partial)
    case .complete(let file): (held, state) = (file, .complete)
    }
    if state != .complete { stage = held }
    server.handleOpened(held: stage.size)
    let have = Have(
      state: state, blockSize: FakeFile.blockSize, bytes: held.size, proof: held.proof.digest, freeSpace: 0)
    var action = try client.handleHave(have)
    while true {
      switch action {
      case .proveSource(let bytes): action = try client.handleOwnProof(source.proof(bytes: bytes))
      case .probe(let counts):
        rounds += 1
        if rounds > 20 { throw Stuck(description: "no end after 20 probes") }
        #expect(client.probes == counts)
        try server.handleProbe()
        action = try client.handleChain(stage.chain(counts), ours: source.chain(counts))
      case .resume(let bytes, let forked):
        self.forked = forked
        return try send(from: bytes)
      case .alreadyThere:
        alreadyThere = true
        return
      }
    }
  }

  var isWhole: Bool { held.reduce(0, +) == source.size }

  private mutating func send(from start: UInt64) throws {
    resumedFrom = start
    try server.handleResume(from: start)
    guard AgreedPrefix(ours: stage.proof(bytes: start), theirs: source.proof(bytes: start)) != nil else {
      throw Stuck(description: "the client resumes at \(start), after a prefix that is not common")
    }
    held = source.contents.indices.map { block in
      let from = UInt64(block) * FakeFile.blockSize
      return min(max(start, from), source.geometry.blockEnd(from, fileSize: source.size)) - from
    }
    var cursor = SendCursor(size: source.size, from: start)
    var hasCommitted = false
    var unheard: [(blockStart: UInt64, frames: Int)] = []
    while !server.isCommitting || !unheard.isEmpty {
      if let next = cursor.next {
        let prefix = DataPrefix.next(of: source, from: next.lowerBound, part: frame)
        cursor.advance(by: UInt64(prefix.count))
        sent += UInt64(prefix.count)
        if let damaged = try receive(prefix) { unheard.append((damaged, lag)) }
      } else if !hasCommitted {
        hasCommitted = true
        try server.handleCommit(Commit(size: source.size, proof: source.proof.digest))
      } else if unheard.isEmpty {
        throw Stuck(description: "everything is sent, and nothing comes of it")
      }
      for index in unheard.indices { unheard[index].frames -= 1 }
      while let damaged = unheard.first, damaged.frames < 0 {
        unheard.removeFirst()
        #expect(server.handleDamage(blockStart: damaged.blockStart) == true)
        try cursor.handleRepeat(damaged.blockStart)
        hasCommitted = false
      }
    }
  }

  /// Returns the block that has arrived damaged.
  private mutating func receive(_ prefix: DataPrefix) throws -> UInt64? {
    try server.handleData(prefix)
    let block = prefix.offset / FakeFile.blockSize
    let start = block * FakeFile.blockSize
    guard held[Int(block)] == prefix.offset - start else {
      throw Stuck(description: "bytes are appended to a piece of another block")
    }
    held[Int(block)] += UInt64(prefix.count)
    guard prefix.blockDigest != nil, let index = damage.firstIndex(of: block) else { return nil }
    damage.remove(at: index)
    held[Int(block)] = 0
    return start
  }
}

@Suite("Upload, both ends") struct UploadPairTests {
  /// The plain case at every small size.
  @Test("A new file is sent once and whole", arguments: 0...5, [0, 1, 1 << 19])
  func newFile(blocks: Int, tail: Int) throws {
    let source = FakeFile(blocks: blocks, tail: UInt64(tail))
    var pair = UploadPair(source)
    try pair.run(.nothing)
    #expect(pair.resumedFrom == 0 && pair.forked == false && pair.sent == source.size && pair.rounds == 0)
  }

  /// No byte of an equal prefix is sent again, also when it ends inside a block.
  @Test("An upload continues at the very byte where the last one broke")
  func equalPrefix() throws {
    for blocks in 0...6 {
      for tail: UInt64 in [0, 1, 777] {
        let source = FakeFile(blocks: blocks, tail: tail)
        var lengths: Set<UInt64> = [source.size]
        for block in 0..<UInt64(blocks) {
          lengths.formUnion([0, 1, FakeFile.blockSize - 1].map { block * FakeFile.blockSize + $0 })
        }
        for bytes in lengths {
          var held = source
          held.truncate(to: bytes)
          var pair = UploadPair(source)
          try pair.run(.partial(held))
          #expect(pair.resumedFrom == bytes && pair.forked == false, "\(bytes) of \(source.size)")
          #expect(pair.sent == source.size - bytes && pair.rounds == 0)
        }
      }
    }
  }

  /// The salvage: up to the fork nothing is sent again, and nothing wrong is kept.
  @Test("A partial that differs from any block on is kept up to that block")
  func forkAtEveryBlock() throws {
    for blocks in 1...12 {
      let source = FakeFile(blocks: blocks, tail: 9)
      for heldBlocks in 1...blocks {
        for heldTail: UInt64 in [0, 5] {
          for fork in 0..<heldBlocks {
            var pair = UploadPair(source)
            try pair.run(.partial(FakeFile(blocks: heldBlocks, tail: heldTail, fork: fork)))
            let common = UInt64(fork) * FakeFile.blockSize
            #expect(pair.resumedFrom == common && pair.forked == true)
            #expect(pair.sent == source.size - common && pair.rounds == 1)
          }
        }
      }
    }
  }

  /// More blocks than one PROBE has room for.
  @Test("A fork among 130 blocks is found in two rounds", arguments: [0, 1, 64, 65, 128, 129])
  func forkInALargerFile(fork: Int) throws {
    var pair = UploadPair(FakeFile(blocks: 130, tail: 1))
    try pair.run(.partial(FakeFile(blocks: 130, fork: fork)))
    #expect(pair.resumedFrom == UInt64(fork) << 20 && pair.rounds <= 2)
  }

  /// All whole blocks agree and only the piece behind them does not.
  @Test("A partial whose last piece differs is kept up to that piece", arguments: 0...5)
  func tailMismatch(blocks: Int) throws {
    let source = FakeFile(blocks: 6)
    var pair = UploadPair(source)
    try pair.run(.partial(FakeFile(blocks: blocks, tail: 100, fork: blocks)))
    #expect(pair.resumedFrom == UInt64(blocks) << 20 && pair.forked == true)
  }

  /// The source shrank since the last try: its whole blocks are common, its end is not.
  @Test("A source shorter than the partial keeps the blocks that it still has")
  func sourceShorterThanPartial() throws {
    for blocks in 0...5 {
      for tail: UInt64 in [0, 3] {
        let source = FakeFile(blocks: blocks, tail: tail)
        for more in 1...3 {
          for fork in 0...(blocks + more) {
            var pair = UploadPair(source)
            let held = FakeFile(blocks: blocks + more, tail: 1, fork: fork)
            try pair.run(.partial(held))
            #expect(pair.resumedFrom == source.commonBlocks(with: held) << 20 && pair.forked == true)
          }
        }
      }
    }
  }

  /// A log that grew: what was sent before it grew is not sent again.
  @Test("A source that grew since the last try is continued")
  func sourceGrew() throws {
    for heldBlocks in 0...4 {
      let held = FakeFile(blocks: heldBlocks)
      var pair = UploadPair(FakeFile(blocks: heldBlocks + 3, tail: 1))
      try pair.run(heldBlocks == 0 ? .nothing : .partial(held))
      #expect(pair.resumedFrom == held.size && pair.forked == false)
    }
  }

  /// The promise that an identical file costs nothing.
  @Test("An identical finished file is not sent", arguments: 0...4, [0, 1])
  func identicalFile(blocks: Int, tail: Int) throws {
    let source = FakeFile(blocks: blocks, tail: UInt64(tail))
    var pair = UploadPair(source)
    try pair.run(.complete(source))
    #expect(pair.alreadyThere && pair.sent == 0 && pair.resumedFrom == nil)
  }

  /// A finished file stays whole until the new one is; none of its blocks become a prefix.
  @Test("Another finished file is replaced from the first byte", arguments: 0...3)
  func otherFinishedFile(fork: Int) throws {
    for other in [FakeFile(blocks: 4, fork: fork), FakeFile(blocks: 5, fork: fork), FakeFile(blocks: 3)] {
      var pair = UploadPair(FakeFile(blocks: 4))
      try pair.run(.complete(other))
      #expect(pair.resumedFrom == 0 && pair.sent == 4 << 20 && pair.rounds == 0)
    }
  }

  /// `ifAbsent` asks for a file of that name, not of that content.
  @Test("With if-absent any finished file is enough, and a partial is not")
  func ifAbsent() throws {
    var pair = UploadPair(FakeFile(blocks: 4), policy: .ifAbsent)
    try pair.run(.complete(FakeFile(blocks: 2, fork: 0)))
    #expect(pair.alreadyThere && pair.sent == 0)
    var second = UploadPair(FakeFile(blocks: 4), policy: .ifAbsent)
    try second.run(.partial(FakeFile(blocks: 2)))
    #expect(!second.alreadyThere && second.resumedFrom == 2 << 20)
  }

  /// Damage on the way, heard of at once or after some more frames, in blocks of one frame or of four.
  @Test(
    "A block that is damaged on the way is sent again until it is right, and nothing else is", arguments: 0...5,
    [FakeFile.blockSize, FakeFile.blockSize / 4])
  func damageAtEveryBlock(lag: Int, frame: UInt64) throws {
    for held in [0, 2] {
      let source = FakeFile(blocks: 5, tail: 10)
      for first in UInt64(held)...5 {
        for second in UInt64(held)...5 {
          var pair = UploadPair(source)
          pair.lag = lag
          pair.frame = frame
          pair.damage = first == second ? [first, first, first] : [first, second]
          let again = pair.damage.reduce(0) { $0 + ($1 == 5 ? 10 : FakeFile.blockSize) }
          try pair.run(held == 0 ? .nothing : .partial(FakeFile(blocks: held)))
          #expect(pair.damage.isEmpty && pair.isWhole && pair.server.isCommitting)
          #expect(pair.sent == source.size - UInt64(held) * FakeFile.blockSize + again)
        }
      }
    }
  }

  /// The bytes that an earlier try left in a block are as good as those of this one.
  @Test("A damaged block of which a part was there before is sent again from its beginning")
  func damageInTheResumedBlock() throws {
    var pair = UploadPair(FakeFile(blocks: 3))
    pair.damage = [1]
    pair.lag = 1
    try pair.run(.partial(FakeFile(blocks: 1, tail: 1000)))
    #expect(pair.resumedFrom == FakeFile.blockSize + 1000 && pair.isWhole)
    #expect(pair.sent == 3 * FakeFile.blockSize - 1000)
  }
}
