// SPDX-License-Identifier: Apache-2.0
// Waiting for a condition with a deadline, and never for a time that is hoped to be long enough.

import Foundation
import Glibc

/// How long a step may take before the test says so. Generous: it bounds a hang, it is no benchmark.
let patienceSeconds = 60.0

/// A moment after which waiting has failed.
struct Deadline: Sendable {
  private let end: UInt64

  init(seconds: Double) { end = DispatchTime.now().uptimeNanoseconds + UInt64(seconds * 1e9) }

  var hasPassed: Bool { DispatchTime.now().uptimeNanoseconds >= end }
  var date: Date {
    let now = DispatchTime.now().uptimeNanoseconds
    return Date(timeIntervalSinceNow: end > now ? Double(end - now) / 1e9 : 0)
  }
}

/// Looks at `condition` until it holds; false when it does not hold within the time.
func eventually(within seconds: Double = patienceSeconds, _ condition: () throws -> Bool) rethrows -> Bool {
  let deadline = Deadline(seconds: seconds)
  while true {
    if try condition() { return true }
    if deadline.hasPassed { return false }
    poll(nil, 0, 2)
  }
}
