// Damage on the way: one byte of a valid stream is another one.

import SpliceBase
import SpliceWire
import Testing

@Suite("Corruption") struct CorruptionTests {
  /// No field is ignored: a change anywhere is seen as an error, another message, or a wait for more.
  @Test(
    "Every other value of every byte of every vector is an error or a different message",
    arguments: Vectors.allFrames.map(\.name))
  func everyOtherByteValue(name: String) throws {
    let original = Vectors.magic + Vectors.bytes(name)
    let messages = try Receiver.messages(in: original)
    for index in original.indices {
      var bytes = original
      for delta in 1...UInt8.max {
        bytes[index] = original[index] ^ delta
        do throws(WireError) {
          if try Receiver.messages(in: bytes) == messages {
            Issue.record("byte \(index) may be \(bytes[index]) instead of \(original[index])")
          }
        } catch { _ = error.sentence }
      }
    }
  }

  /// Damage to one frame that leaves it valid does not move the frames behind it.
  @Test("Damage in file bytes changes only these bytes")
  func damageInFileBytes() throws {
    let before = Vectors.magic + Vectors.bytes("data-end-of-block")
    let stream = before + Vectors.bytes("commit")
    let expected = try Receiver.messages(in: stream)
    for index in before.count - 5..<before.count {
      var bytes = stream
      bytes[index] ^= 0x40
      let messages = try Receiver.messages(in: bytes)
      #expect(messages.count == 2 && messages[0] != expected[0] && messages[1] == expected[1])
    }
  }

  /// Noise of any kind ends in an error or in waiting, never in a trap.
  @Test("Random bytes behind the magic never crash the decoder")
  func randomBytes() {
    var random = Random(seed: 20_240_229)
    for _ in 0..<3000 {
      let count = Int.random(in: 0..<200, using: &random)
      var bytes = FrameDecoder.magic + (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      // Half of them get past the first field, a quarter past the length.
      if count > 16, Bool.random(using: &random) {
        bytes[4] = UInt8.random(in: 1...20, using: &random)
        bytes[5] = 0
        if Bool.random(using: &random) { bytes.replaceSubrange(6..<11, with: [0, 0, 0, 0, 0]) }
      }
      _ = failure(of: bytes)
    }
  }
}
