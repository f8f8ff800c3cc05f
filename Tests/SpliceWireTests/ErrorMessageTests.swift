// Errors on the wire.

import SpliceBase
import SpliceWire
import Testing

@Suite("ErrorMessage") struct ErrorMessageTests {
  /// A table of its own: scripts of others compare these numbers.
  @Test("Error numbers are the published ones")
  func numbers() {
    let published: [(ErrorCode, UInt16)] = [
      (.writeFailed, 1), (.openFailed, 2), (.seekFailed, 3), (.exists, 4), (.timeout, 5),
      (.unknownMessage, 6),
      (.cannotConnect, 7), (.uploadFailed, 8), (.downloadFailed, 9), (.noSpace, 10), (.locked, 11),
      (.busy, 12),
      (.denied, 13), (.badPath, 14), (.digestMismatch, 15), (.version, 16), (.notFound, 17), (.changed, 18),
      (.isDirectory, 19), (.notDirectory, 20), (.malformed, 21), (.superseded, 22), (.shuttingDown, 23),
      (.readFailed, 24), (.notEmpty, 25), (.kicked, 26),
    ]
    #expect(published.map(\.0) == ErrorCode.allCases)
    for (code, number) in published { #expect(code.rawValue == number) }
  }

  /// Two codes with one sentence could not be told apart by a person.
  @Test("Every error has a sentence of its own that fits its frame")
  func sentences() {
    let sentences = ErrorCode.allCases.map { "\($0.sentence)" }
    #expect(Set(sentences).count == sentences.count)
    #expect(sentences.allSatisfy { !$0.isEmpty && $0.utf8.count <= Limits.errorTextMax })
  }

  /// Each code survives, and an unknown one of a newer peer is still an error.
  @Test("Every code is read as it was written, and an unknown number as a failed upload")
  func codes() throws {
    for code in ErrorCode.allCases {
      var bytes: [UInt8] = []
      ErrorMessage(code).appendBody(to: &bytes)
      #expect(try ErrorMessage(body: bytes).code == code)
    }
    for number: UInt16 in [0, 27, .max] {
      var bytes: [UInt8] = []
      bytes.append(integer: number)
      #expect(try ErrorMessage(body: bytes + Array(repeating: 0, count: 24)).code == .uploadFailed)
    }
  }

  /// The error that answers a hostile request repeats what it was sent; that must not stop the daemon.
  @Test("An error about an overlong path still fits its frame, and its text is cut at its limit")
  func overlongPathsAndTexts() throws {
    for pathCount in [0, Limits.pathMax, Limits.pathMax + 1, Limits.controlBodyMax - 2, 70_000] {
      for textCount in [0, Limits.errorTextMax, Limits.errorTextMax + 1, 70_000] {
        var bytes: [UInt8] = []
        ErrorMessage(
          .badPath, path: Array(repeating: 0x70, count: pathCount),
          text: Array(repeating: 0x74, count: textCount)
        ).append(to: &bytes, stream: 1)
        let messages = try Receiver.messages(in: FrameDecoder.magic + bytes)
        guard case .error(let error, 1) = messages.first else { throw WireError.badMagic }
        #expect(error.path.count == min(pathCount, Limits.pathMax))
        #expect(error.text.count == min(textCount, Limits.errorTextMax))
      }
    }
  }

  /// What a client does next hangs on it: try again, or give up and say so.
  @Test("Only errors that pass by themselves are transient")
  func transience() {
    let transient = ErrorCode.allCases.filter(\.isTransient)
    #expect(
      transient == [
        .timeout, .cannotConnect, .noSpace, .locked, .busy, .changed, .malformed, .shuttingDown, .kicked,
      ])
  }

  /// The log line about a hostile peer names the number that was wrong.
  @Test("Wire errors name their culprit")
  func culprits() {
    #expect(WireError.badMagic.culprit == nil && WireError.reservedBits.culprit == nil)
    #expect(WireError.tooLong(type: 3, count: 9).culprit == 3)
    #expect(WireError.truncated(type: 4).culprit == 4)
    #expect(WireError.trailing(type: 5).culprit == 5)
    #expect(WireError.badValue(type: 6).culprit == 6)
  }
}
