// The seedable generator.

import SpliceBase
import Testing

@Suite("Random") struct RandomTests {
  /// The published first values of SplitMix64 for this seed.
  @Test("The generator is SplitMix64")
  func isSplitMix64() {
    var random = Random(seed: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
    #expect(random.next() == 9_817_491_932_198_370_423)
    #expect(random.next() == 4_593_380_528_125_082_431)
    #expect(random.next() == 16_408_922_859_458_223_821)
  }

  /// A seed printed by a failing simulation replays it.
  @Test("Equal seeds give equal sequences, other seeds other ones")
  func seedsDecide() {
    var first = Random(seed: 7)
    var same = Random(seed: 7)
    var other = Random(seed: 8)
    let values = (0..<100).map { _ in first.next() }
    #expect((0..<100).map { _ in same.next() } == values)
    #expect((0..<100).map { _ in other.next() } != values)
  }
}
