// Both ends of a download, played against each other without a socket or a disk.

import SpliceBase
import SpliceCore
import SpliceWire
import Testing

/// One download: the client's negotiation, the server's machine, and the frames between them.
private struct DownloadPair {
  let file: FakeFile
  /// What the client has before, and then what it has received.
  var local: FakeFile
  var client: DownloadNegotiation
  var server: DownloadSender
  var rounds = 0
  var sent: UInt64 = 0
  var receivedFrom: UInt64?
  var resumed = false
  var forked: Bool?
  var ended = false

  /// Blocks that are damaged on the way, each as often as it is named.
  var damage: [UInt64] = []
  /// Frames that the server sends before it hears of damage.
  var lag = 0

  init(_ file: FakeFile, _ local: DownloadNegotiation.Local, _ held: FakeFile = FakeFile(blocks: 0)) {
    self.file = file
    self.local = held
    client = DownloadNegotiation(local)
    server = DownloadSender(size: file.size)
  }

  static func partial(_ file: FakeFile, held: FakeFile) -> DownloadPair {
    DownloadPair(file, .partial(held.proof, BlockGeometry(blockSize: FakeFile.blockSize)), held)
  }

  mutating func run() throws {
    let (want, flags) = client.want(path: [UInt8]("a"))
    // The empty prefix is a prefix of every file, whatever names it.
    let proved =
      want.held == 0 || want.held <= file.size && file.proof(bytes: want.held).digest == want.proof
    server.handleOpened(startingAt: proved && flags.contains(.start) ? want.held : nil)
    let give = Give(
      proved: proved, mode: 0o644, size: file.size, modified: Timestamp(seconds: 0, nanoseconds: 0),
      blockSize: file.geometry.blockSize, version: 1)
    var action = try client.handleGive(give)
    while true {
      switch action {
      case .proveExisting: action = try client.handleExistingProof(local.proof)
      case .probe(let counts):
        rounds += 1
        if rounds > 20 { throw Stuck(description: "no end after 20 probes") }
        #expect(client.probes == counts)
        try server.handleProbe()
        action = try client.handleChain(file.chain(counts), ours: local.chain(counts))
      case .resume(let bytes, let forked):
        (self.resumed, self.forked) = (true, forked)
        return try receive(from: try resume(at: bytes))
      case .receive(let bytes, let forked):
        self.forked = forked
        return try receive(from: bytes)
      }
    }
  }

  /// The server's answer to RESUME: it sends only after a prefix that both name alike.
  private mutating func resume(at bytes: UInt64) throws -> UInt64 {
    try server.handleResume(from: bytes)
    let ours = file.proof(bytes: bytes)
    guard let prefix = AgreedPrefix(ours: ours, theirs: local.proof(bytes: bytes)) else {
      throw Stuck(description: "the client resumes at \(bytes), after a prefix that is not common")
    }
    #expect(server.nextPiece == nil, "nothing is sent before the agreement")
    server.begin(at: prefix)
    return bytes
  }

  private mutating func receive(from start: UInt64) throws {
    if receivedFrom == nil { receivedFrom = start }
    local.truncate(to: start)
    var held = file.contents.indices.map { block in
      let from = UInt64(block) * FakeFile.blockSize
      return min(max(start, from), file.geometry.blockEnd(from, fileSize: file.size)) - from
    }
    var unheard: [(blockStart: UInt64, frames: Int)] = []
    while true {
      if let piece = server.nextPiece {
        if let damaged = try take(piece, &held) { unheard.append((damaged, lag)) }
      } else if !ended {
        ended = server.takeEnd()
        #expect(ended)
      } else if unheard.isEmpty {
        break
      }
      for index in unheard.indices { unheard[index].frames -= 1 }
      while let damaged = unheard.first, damaged.frames < 0 {
        unheard.removeFirst()
        try server.handleRepeat(damaged.blockStart)
      }
    }
    #expect(server.takeEnd() == false, "END comes once")
    #expect(held.reduce(0, +) == file.size)
    local = file
  }

  /// Returns the block that has arrived damaged.
  private mutating func take(
    _ piece: (offset: UInt64, count: Int, endsBlock: Bool), _ held: inout [UInt64]
  ) throws -> UInt64? {
    #expect(piece.count >= 1 && piece.count <= Limits.dataPayloadMax)
    let end = piece.offset + UInt64(piece.count)
    #expect(piece.endsBlock == (end % FakeFile.blockSize == 0 || end == file.size))
    server.handleSent(piece.count)
    sent += UInt64(piece.count)
    let block = piece.offset / FakeFile.blockSize
    guard held[Int(block)] == piece.offset % FakeFile.blockSize else {
      throw Stuck(description: "a piece at \(piece.offset) does not continue \(held[Int(block)])")
    }
    held[Int(block)] += UInt64(piece.count)
    guard piece.endsBlock, let index = damage.firstIndex(of: block) else { return nil }
    damage.remove(at: index)
    held[Int(block)] = 0
    return block * FakeFile.blockSize
  }
}

@Suite("Download, both ends") struct DownloadPairTests {
  /// The plain case at every small size.
  @Test("A new file is received once and whole", arguments: 0...5, [0, 1, 1 << 19])
  func newFile(blocks: Int, tail: Int) throws {
    let file = FakeFile(blocks: blocks, tail: UInt64(tail))
    var pair = DownloadPair(file, .nothing)
    try pair.run()
    #expect(pair.receivedFrom == 0 && pair.sent == file.size && !pair.resumed && pair.forked == false)
  }

  /// Without another round trip, too: the bytes follow GIVE.
  @Test("A download continues at the very byte where the last one broke")
  func equalPrefix() throws {
    for blocks in 0...6 {
      for tail: UInt64 in [0, 1, 777] {
        let file = FakeFile(blocks: blocks, tail: tail)
        var lengths: Set<UInt64> = [file.size]
        for block in 0..<UInt64(blocks) {
          lengths.formUnion([0, 1, FakeFile.blockSize - 1].map { block * FakeFile.blockSize + $0 })
        }
        for bytes in lengths {
          var held = file
          held.truncate(to: bytes)
          var pair = DownloadPair.partial(file, held: held)
          try pair.run()
          #expect(pair.receivedFrom == bytes && pair.sent == file.size - bytes, "\(bytes) of \(file.size)")
          #expect(!pair.resumed && pair.rounds == 0 && pair.forked == false)
        }
      }
    }
  }

  /// The salvage in the other direction.
  @Test("A partial that differs from any block on is kept up to that block")
  func forkAtEveryBlock() throws {
    for blocks in 1...12 {
      let file = FakeFile(blocks: blocks, tail: 9)
      for heldBlocks in 1...blocks {
        for heldTail: UInt64 in [0, 5] {
          for fork in 0..<heldBlocks {
            var pair = DownloadPair.partial(
              file, held: FakeFile(blocks: heldBlocks, tail: heldTail, fork: fork))
            try pair.run()
            #expect(pair.receivedFrom == UInt64(fork) << 20 && pair.forked == true && pair.resumed)
            #expect(pair.sent == file.size - UInt64(fork) << 20 && pair.rounds == 1)
          }
        }
      }
    }
  }

  /// More blocks than one PROBE has room for.
  @Test("A fork among 130 blocks is found in two rounds", arguments: [0, 1, 64, 65, 128, 129])
  func forkInALargerFile(fork: Int) throws {
    var pair = DownloadPair.partial(FakeFile(blocks: 130, tail: 1), held: FakeFile(blocks: 130, fork: fork))
    try pair.run()
    #expect(pair.receivedFrom == UInt64(fork) << 20 && pair.rounds <= 2)
  }

  /// All whole blocks agree and only the piece behind them does not.
  @Test("A partial whose last piece differs is kept up to that piece", arguments: 0...5)
  func tailMismatch(blocks: Int) throws {
    var pair = DownloadPair.partial(
      FakeFile(blocks: 6), held: FakeFile(blocks: blocks, tail: 100, fork: blocks))
    try pair.run()
    #expect(pair.receivedFrom == UInt64(blocks) << 20 && pair.forked == true)
  }

  /// The file at the server shrank, or grew.
  @Test("A partial of a file that has another size now is kept as far as it agrees")
  func otherSizes() throws {
    for blocks in 0...5 {
      for tail: UInt64 in [0, 3] {
        let file = FakeFile(blocks: blocks, tail: tail)
        for heldBlocks in 0...8 {
          for fork in 0...heldBlocks {
            let held = FakeFile(blocks: heldBlocks, tail: 1, fork: fork)
            var pair = DownloadPair.partial(file, held: held)
            try pair.run()
            let expected = held.isPrefix(of: file) ? held.size : file.commonBlocks(with: held) << 20
            #expect(pair.receivedFrom == expected, "\(held) of \(file)")
          }
        }
      }
    }
  }

  /// Nothing moves but digests.
  @Test("A finished local file that is the same is only proved", arguments: 0...4, [0, 1])
  func identicalFile(blocks: Int, tail: Int) throws {
    let file = FakeFile(blocks: blocks, tail: UInt64(tail))
    var pair = DownloadPair(file, .complete(size: file.size), file)
    try pair.run()
    #expect(pair.sent == 0 && pair.resumed && pair.ended && pair.forked == false)
  }

  /// A finished local file is replaced as a whole, when the new one is there.
  @Test("A finished local file of another size is received from the first byte")
  func finishedFileOfAnotherSize() throws {
    let file = FakeFile(blocks: 3)
    for size: UInt64 in [0, 1, file.size - 1, file.size + 1] {
      var pair = DownloadPair(file, .complete(size: size))
      try pair.run()
      #expect(pair.receivedFrom == 0 && pair.sent == file.size && pair.resumed)
    }
  }

  /// Damage on the way, noticed at once, after some frames, or after END.
  @Test("A block that is damaged on the way is sent again until it is right, and nothing else is", arguments: 0...6)
  func damageAtEveryBlock(lag: Int) throws {
    let file = FakeFile(blocks: 5, tail: 10)
    for held in [0, 2] {
      for first in UInt64(held)...5 {
        for second in UInt64(held)...5 {
          var pair = held == 0 ? DownloadPair(file, .nothing) : .partial(file, held: FakeFile(blocks: held))
          pair.lag = lag
          pair.damage = first == second ? [first, first, first] : [first, second]
          let again = pair.damage.reduce(0) { $0 + ($1 == 5 ? file.size % FakeFile.blockSize : FakeFile.blockSize) }
          try pair.run()
          #expect(pair.damage.isEmpty && pair.ended && pair.local == file)
          #expect(pair.sent == file.size - UInt64(held) * FakeFile.blockSize + again)
        }
      }
    }
  }
}
