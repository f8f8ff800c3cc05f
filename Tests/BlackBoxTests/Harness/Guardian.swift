// SPDX-License-Identifier: Apache-2.0
// Ends the processes that a crashed test run would leave behind.

import Foundation
import Glibc

/// A shell that knows every live child and kills the rest when the test process goes away.
///
/// It reads `+ PID` and `- PID` lines from a pipe whose other end only the test process holds, so that the
/// end of the test process, however it comes, is the end of its children.
final class Guardian: @unchecked Sendable {
  static let shared = Guardian()

  private let lock = NSLock()
  private let pipeEnd: Int32

  private static let script = """
    live=' '
    while read -r sign pid; do
      case $sign in
        +) live="$live$pid " ;;
        -) live="${live%% $pid *} ${live#* $pid }" ;;
      esac
    done
    for pid in $live; do kill -9 "$pid" 2>/dev/null; done
    """

  private init() {
    signal(SIGPIPE, SIG_IGN)
    guard let pipe = try? Descriptors.pipe(),
      (try? spawnProcess(["/bin/sh", "-c", RawString(Self.script)], standardInput: pipe.read)) != nil
    else { fatalError("cannot start the shell that guards the test's processes") }
    close(pipe.read)
    pipeEnd = pipe.write
  }

  func watch(_ pid: pid_t) { tell("+ \(pid)\n") }
  func forget(_ pid: pid_t) { tell("- \(pid)\n") }

  private func tell(_ line: String) {
    lock.withLock {
      let bytes = Array(line.utf8)
      _ = write(pipeEnd, bytes, bytes.count)
    }
  }
}
