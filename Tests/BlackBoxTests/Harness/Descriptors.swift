// SPDX-License-Identifier: Apache-2.0
// Descriptors that no child process inherits by accident.

import Foundation
import Glibc

/// A leaked pipe or socket in a child would keep a connection alive that a test has cut. Calls that cannot set
/// close-on-exec in one step (Swift does not see pipe2 and accept4) share a lock with the start of processes.
enum Descriptors {
  private static let lock = NSLock()

  static func withNoneInherited<Result>(_ body: () throws -> Result) rethrows -> Result {
    try lock.withLock(body)
  }

  static func pipe() throws -> (read: Int32, write: Int32) {
    try withNoneInherited {
      var ends: [Int32] = [-1, -1]
      try checked(Glibc.pipe(&ends), "pipe", on: "for a test")
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      return (ends[0], ends[1])
    }
  }

  /// The next connection of a listener that does not block, or nil when there is none.
  static func accept(_ listener: Int32) -> Int32? {
    withNoneInherited {
      let descriptor = Glibc.accept(listener, nil, nil)
      if descriptor < 0 { return nil }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      return descriptor
    }
  }
}
