// Finding messages in bytes that arrive in any pieces.

import SpliceBase
import SpliceWire
import Testing

@Suite("FrameDecoder") struct FrameDecoderTests {
  /// Whatever is missing from a frame, the decoder waits for it and says nothing false meanwhile.
  @Test(
    "Every proper prefix of every vector needs more, at once and byte by byte",
    arguments: Vectors.allFrames.map(\.name))
  func properPrefixesNeedMore(name: String) throws {
    let bytes = Vectors.magic + Vectors.bytes(name)
    var slow = Receiver()
    for count in 0..<bytes.count {
      var fast = Receiver()
      try fast.take(bytes[..<count])
      #expect(fast.messages.isEmpty && slow.messages.isEmpty, "\(count) bytes")
      #expect(fast.isBetweenMessages == (count == Vectors.magic.count), "\(count) bytes")
      #expect(slow.isBetweenMessages == fast.isBetweenMessages, "\(count) bytes")
      try slow.take(bytes[count..<count + 1])
    }
    #expect(slow.messages == (try Receiver.messages(in: bytes)))
    #expect(slow.messages.count == 1 && slow.isBetweenMessages)
  }

  /// The number of whole messages in a prefix is the number of frames that end in it.
  @Test("Every proper prefix of all vectors in a row gives the whole messages in it and needs more")
  func prefixesOfAStream() throws {
    let samples = Samples.all
    let bytes = Vectors.magic + samples.flatMap(\.encoded)
    var whole = 0
    var end = Vectors.magic.count + samples[0].encoded.count
    var slow = Receiver()
    for count in 0..<bytes.count {
      if count == end {
        whole += 1
        end += samples[whole].encoded.count
      }
      var fast = Receiver()
      try fast.take(bytes[..<count])
      if fast.messages != slow.messages || fast.messages.count != whole {
        Issue.record("\(count) bytes: \(fast.messages.count) messages, \(whole) expected")
      }
      try slow.take([bytes[count]])
    }
    #expect(slow.messages == samples.map(\.parsed))
  }

  /// A reader that asks for these only never reads into the next frame, and never for nothing.
  @Test("What the decoder says that it needs ends each frame where it ends")
  func neededBytesEndWithTheFrame() throws {
    for sample in Samples.all {
      let bytes = Vectors.magic + sample.encoded
      var decoder = FrameDecoder()
      var taken = 0
      try bytes.withUnsafeBytes { raw in
        while taken < raw.count {
          let end = taken + decoder.needed
          guard taken < end, end <= raw.count else {
            Issue.record("\(decoder.needed) bytes needed behind \(taken) of \(raw.count)")
            return
          }
          while try decoder.next(UnsafeRawBufferPointer(rebasing: raw[..<end]), &taken) != .needMore {}
        }
      }
      #expect(taken == bytes.count && decoder.isBetweenMessages)
    }
  }

  /// The place where a read ends is chance.
  @Test("Every split of all vectors in two gives the same messages")
  func splitsInTwo() throws {
    let samples = Samples.all
    let bytes = Vectors.magic + samples.flatMap(\.encoded)
    let expected = samples.map(\.parsed)
    for cut in 0...bytes.count {
      var receiver = Receiver()
      try receiver.take(bytes[..<cut])
      try receiver.take(bytes[cut...])
      if receiver.messages != expected { Issue.record("cut at \(cut)") }
    }
  }

  /// Pieces of every small size, so that fields straddle three and more reads.
  @Test(
    "Pieces of any one size give the same messages", arguments: [1, 2, 3, 5, 7, 8, 13, 15, 16, 17, 39, 41])
  func piecesOfOneSize(size: Int) throws {
    let samples = Samples.all
    let bytes = Vectors.magic + samples.flatMap(\.encoded)
    var receiver = Receiver()
    for start in stride(from: 0, to: bytes.count, by: size) {
      try receiver.take(bytes[start..<min(start + size, bytes.count)])
    }
    #expect(receiver.messages == samples.map(\.parsed))
  }

  /// The largest DATA frame, with and without a digest, keeps every byte in its place.
  @Test(
    "Pieces of the largest DATA frame are its payload, however the bytes arrive", arguments: [false, true])
  func largestData(endsBlock: Bool) throws {
    var random = Random(seed: 1)
    let payload = (0..<Limits.dataPayloadMax).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    let prefix = DataPrefix(
      stream: 9, offset: 1 << 40, count: payload.count, blockDigest: endsBlock ? digest(1) : nil)
    var bytes = FrameDecoder.magic
    prefix.append(to: &bytes)
    bytes += payload + Vectors.bytes("ack")
    for _ in 0..<5 {
      var receiver = Receiver()
      var position = 0
      while position < bytes.count {
        let count = min(Int.random(in: 0...200_000, using: &random), bytes.count - position)
        try receiver.take(bytes[position..<position + count])
        position += count
      }
      #expect(receiver.messages.count == 2)
      #expect(receiver.messages.first == .data(prefix, payload))
    }
  }

  /// A body of the longest allowed size is collected over many reads.
  @Test("The longest control body arrives whole")
  func longestControlBody() throws {
    let body = (0..<Limits.controlBodyMax).map { UInt8(truncatingIfNeeded: $0) }
    let header = FrameHeader(.ping, length: UInt32(body.count), stream: 0)
    var bytes = FrameDecoder.magic
    header.append(to: &bytes)
    bytes += body
    var receiver = Receiver()
    for start in stride(from: 0, to: bytes.count, by: 1000) {
      try receiver.take(bytes[start..<min(start + 1000, bytes.count)])
    }
    #expect(receiver.messages == [.plain(header, body)])
  }

  /// Reading nothing is not an event.
  @Test("An empty read needs more in every state")
  func emptyReads() throws {
    let bytes = Vectors.magic + Vectors.bytes("data-end-of-block") + Vectors.bytes("ack")
    var receiver = Receiver()
    for byte in bytes {
      try receiver.take([])
      try receiver.take([byte])
    }
    try receiver.take([])
    #expect(receiver.messages.count == 2)
  }

  /// Any other first four bytes belong to another protocol.
  @Test("A connection that begins with anything but the magic is refused")
  func otherMagicIsRefused() {
    for index in 0..<4 {
      for bit in 0..<8 {
        var bytes = FrameDecoder.magic
        bytes[index] ^= 1 << bit
        #expect(failure(of: bytes) == .badMagic)
      }
    }
    #expect(failure(of: Array("GET / HTTP/1.1".utf8)) == .badMagic)
  }
}
