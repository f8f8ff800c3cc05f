// SPDX-License-Identifier: Apache-2.0
// Random choices that a failed test can repeat: every one comes from a seed that the failure names.

import Foundation

/// SplitMix64: small, fast and the same everywhere.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  /// The seed of this run: `SPLICE_SEED` to replay one, else a fresh one.
  static let runSeed: UInt64 =
    ProcessInfo.processInfo.environment["SPLICE_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 1...999_999)

  /// The stream of one test: the run's seed, and the test's own name mixed in (FNV-1a).
  init(test name: String) {
    state = name.utf8.reduce(0xcbf2_9ce4_8422_2325 ^ Self.runSeed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func number(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  mutating func bytes(_ count: Int) -> [UInt8] {
    let words = (0..<(count + 7) / 8).map { _ in next() }
    return words.withUnsafeBytes { Array($0.prefix(count)) }
  }
}
