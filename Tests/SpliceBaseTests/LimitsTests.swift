// How the bounds hang together.

import SpliceBase
import Testing

@Suite("Limits") struct LimitsTests {
  /// Each relation is one that code elsewhere relies on.
  @Test("The limits fit each other")
  func fitEachOther() {
    #expect(Limits.blockSize.nonzeroBitCount == 1)
    #expect(UInt64(Limits.dataPayloadMax) == Limits.blockSize, "a block of the usual size is one frame")
    #expect(Limits.dataPayloadMax % Limits.portionSize == 0, "no portion crosses a block")
    #expect(Limits.probeMax * Digest.byteCount + 2 <= Limits.controlBodyMax, "a full CHAIN fits its frame")
    #expect(24 + Limits.pathMax + Limits.errorTextMax <= Limits.controlBodyMax, "a full ERROR fits")
    #expect(Limits.pathMax + 128 <= Limits.controlBodyMax, "an OFFER with the longest path fits")
    #expect(Limits.connectionBacklogMax >= Limits.jobSize)
  }
}
