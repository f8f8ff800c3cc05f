// The golden vectors: written once by hand, so that no change of the code can change the protocol unseen.

import SpliceBase
import SpliceWire
import Testing

@Suite("Golden vectors") struct VectorTests {
  /// A frame without a vector would be a part of the protocol that nobody holds still.
  @Test("Every frame type has a vector, every vector a value, and every entry a meaning")
  func vectorsAreComplete() {
    let types = Set(Vectors.allFrames.map { $0.bytes[0] })
    #expect(types == Set(FrameType.allCases.map(\.rawValue)))
    #expect(types == Set(1...21).union(32...37))
    #expect(Set(Vectors.allFrames.map(\.name)) == Set(Samples.all.map(\.name)))
    #expect(Set(Vectors.allFrames.map(\.name)).count == Vectors.allFrames.count, "names are unique")
    #expect(Vectors.frames.allSatisfy { $0.meaning.hasSuffix(".") })
    #expect(Vectors.magic == FrameDecoder.magic)
  }

  /// Writing a value gives the bytes of its vector.
  @Test("Every value is written as its vector", arguments: Vectors.allFrames.map(\.name))
  func valuesAreWrittenAsTheirVectors(name: String) throws {
    let sample = try #require(Samples.all.first { $0.name == name })
    #expect(sample.encoded == Vectors.bytes(name))
  }

  /// Reading the bytes of a vector gives its value and nothing else.
  @Test("Every vector is read as its value", arguments: Vectors.allFrames.map(\.name))
  func vectorsAreReadAsTheirValues(name: String) throws {
    let sample = try #require(Samples.all.first { $0.name == name })
    #expect(try Receiver.messages(in: Vectors.magic + Vectors.bytes(name)) == [sample.parsed])
  }

  /// Frames follow each other without anything between them.
  @Test("All vectors in a row are read as all values in a row")
  func allVectorsInARow() throws {
    let samples = Samples.all
    #expect(try Receiver.messages(in: Vectors.magic + samples.flatMap(\.encoded)) == samples.map(\.parsed))
  }

  /// Appending to bytes that are already there must not patch the length into them.
  @Test("A frame is appended behind other bytes without touching them")
  func framesAreAppended() {
    var bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
    Commit(size: 3_145_733, proof: digest(0x70)).append(to: &bytes, stream: 1)
    #expect(bytes == [1, 2, 3, 4, 5, 6, 7, 8] + Vectors.bytes("commit"))
  }
}
