// Which message may come when, at the sender of a download, and what it sends next.

import SpliceBase
import SpliceCore
import SpliceWire
import Testing

private let file = FakeFile(blocks: 2, tail: 5)

private func agreed(_ bytes: UInt64) throws -> AgreedPrefix {
  try #require(AgreedPrefix(ours: file.proof(bytes: bytes), theirs: file.proof(bytes: bytes)))
}

@Suite("DownloadSender") struct DownloadSenderTests {
  /// The whole table: a message that is not allowed in a state is refused and changes nothing.
  @Test("Every message in every wrong state is refused and leaves the state as it was")
  func messagesInWrongStates() throws {
    let opening = DownloadSender(size: file.size)
    var given = opening
    given.handleOpened(startingAt: nil)
    var sending = opening
    sending.handleOpened(startingAt: 0)
    var ended = opening
    ended.handleOpened(startingAt: file.size)
    #expect(ended.takeEnd() == true)
    let cases: [(DownloadSender, mayProbe: Bool, mayResume: Bool)] = [
      (opening, false, false), (given, true, true), (sending, false, false), (ended, false, false),
    ]
    for (state, mayProbe, mayResume) in cases {
      var copy = state
      if mayProbe {
        try copy.handleProbe()
      } else {
        #expect(throws: SequenceError.unexpected(.probe)) { try copy.handleProbe() }
      }
      for offset in [file.size + 1, .max] {
        let error: SequenceError = mayResume ? .outOfRange(offset) : .unexpected(.resume)
        #expect(throws: error) { try copy.handleResume(from: offset) }
      }
      if !mayResume { #expect(throws: SequenceError.unexpected(.resume)) { try copy.handleResume(from: 0) } }
      #expect(copy == state)
      for offset in [0, 1, file.size] where mayResume {
        copy = state
        try copy.handleResume(from: offset)
        // The next one has to wait until this one is answered: a peer that does not wait is refused.
        #expect(throws: SequenceError.unexpected(.resume)) { try copy.handleResume(from: offset) }
        copy.begin(at: try agreed(offset))
      }
    }
  }

  /// Nothing may leave before the prefix is agreed on.
  @Test("Nothing is sent and no END is due before the beginning is agreed on")
  func nothingBeforeAgreement() throws {
    var sender = DownloadSender(size: file.size)
    #expect(sender.nextPiece == nil && !sender.takeEnd())
    sender.handleOpened(startingAt: nil)
    #expect(sender.nextPiece == nil && !sender.takeEnd())
    try sender.handleResume(from: file.size)
    #expect(sender.nextPiece == nil && !sender.takeEnd())
    sender.begin(at: try agreed(file.size))
    #expect(sender.nextPiece == nil && sender.takeEnd() && !sender.takeEnd())
  }

  /// The pieces of a file tile it from any byte on, and digests come exactly at the ends of blocks.
  @Test("Pieces follow each other from any offset to the end and never cross a block")
  func pieces() throws {
    let block = FakeFile.blockSize
    for start in [0, 1, block - 1, block, block + 1, 2 * block, 2 * block + 4, file.size] {
      var sender = DownloadSender(size: file.size)
      sender.handleOpened(startingAt: nil)
      try sender.handleResume(from: start)
      sender.begin(at: try agreed(start))
      var position = start
      while let piece = sender.nextPiece {
        #expect(piece.offset == position && piece.count > 0)
        position += UInt64(piece.count)
        #expect(piece.offset / block == (position - 1) / block)
        #expect(piece.endsBlock == (position % block == 0 || position == file.size))
        sender.handleSent(piece.count)
      }
      #expect(position == file.size && sender.takeEnd())
    }
  }

  /// A socket takes what it takes.
  @Test("What was sent in part is continued where it stopped")
  func partialSends() {
    var sender = DownloadSender(size: file.size)
    sender.handleOpened(startingAt: 0)
    var position: UInt64 = 0
    while let piece = sender.nextPiece {
      #expect(piece.offset == position)
      let count = min(piece.count, 300_000)
      sender.handleSent(count)
      position += UInt64(count)
      #expect(sender.takeEnd() == (position == file.size))
    }
    #expect(position == file.size)
  }

  /// A block of a huge file is larger than a frame; only its last frame has the digest.
  @Test("Blocks larger than a frame are sent in frames, the last of them with the digest")
  func largeBlocks() {
    var sender = DownloadSender(size: 1 << 42)
    #expect(sender.geometry.blockSize == 4 << 20)
    sender.handleOpened(startingAt: (4 << 20) + 7)
    var ends: [Bool] = []
    for _ in 0..<5 {
      guard let piece = sender.nextPiece else { break }
      ends.append(piece.endsBlock)
      sender.handleSent(piece.count)
    }
    #expect(ends == [false, false, false, true, false])
    #expect(sender.nextPiece?.offset == 9 << 20)
  }

  @Test("A block goes again before the rest goes on")
  func repeats() throws {
    var sender = DownloadSender(size: file.size)
    #expect(throws: SequenceError.unexpected(.repeat)) { try sender.handleRepeat(0) }
    sender.handleOpened(startingAt: 0)
    sender.handleSent(1 << 20)
    sender.handleSent(1000)
    let front: UInt64 = 1 << 20 + 1000
    try sender.handleRepeat(0)
    #expect(sender.nextPiece?.offset == 0 && sender.nextPiece?.endsBlock == true && sender.front == front)
    sender.handleSent(1 << 20)
    #expect(sender.nextPiece?.offset == front)
    while let piece = sender.nextPiece { sender.handleSent(piece.count) }
    try sender.handleRepeat(2 << 20)
    #expect(!sender.takeEnd() && sender.nextPiece?.count == 5)
    sender.handleSent(5)
    #expect(sender.takeEnd() == true)
    try sender.handleRepeat(1 << 20)
    #expect(sender.nextPiece?.offset == 1 << 20)
    sender.handleSent(1 << 20)
    #expect(sender.nextPiece == nil && !sender.takeEnd(), "END comes once")
  }

  /// What decides whether the file is kept open.
  @Test("END is the last word where nothing was sent, and where the file is no more than a block")
  func endIsLast() throws {
    let block = FakeFile.blockSize
    let cases: [(size: UInt64, start: UInt64, isLast: Bool)] = [
      (block, 0, true), (block + 1, 0, false), (block + 1, block + 1, true),
    ]
    for (size, start, isLast) in cases {
      var sender = DownloadSender(size: size)
      sender.handleOpened(startingAt: start)
      while let piece = sender.nextPiece { sender.handleSent(piece.count) }
      #expect(sender.takeEnd() == true)
      #expect(sender.endIsLast == isLast)
    }
  }
}
