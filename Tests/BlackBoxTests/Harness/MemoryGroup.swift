// SPDX-License-Identifier: Apache-2.0
// A control group with little memory, as a stand-in for a machine that has no more.

import Glibc

/// Counts what its processes use, file pages included, and kills one when that does not suffice. For root.
final class MemoryGroup {
  private let folder: RawString
  private static let first: RawString = "/sys/fs/cgroup/memory"
  private static let second: RawString = "/sys/fs/cgroup"

  /// False where control groups cannot be made here, or do not count memory.
  static let isPossible: Bool = {
    guard let group = try? MemoryGroup(name: "splice-test-probe-\(getpid())", bytes: 32 << 20) else { return false }
    group.end()
    return true
  }()

  init(name: RawString, bytes: Int) throws {
    let isFirst = Files.exists(Self.first / "memory.limit_in_bytes")
    folder = (isFirst ? Self.first : Self.second) / name
    try Files.makeFolder(folder)
    do {
      let limit: RawString = isFirst ? "memory.limit_in_bytes" : "memory.max"
      try Files.write(Array("\(bytes)\n".utf8), to: folder / limit, flags: 0)
    } catch {
      end()
      throw error
    }
  }

  /// Starts a command in the group, on one processor.
  var prefix: [RawString] {
    ["taskset", "--cpu-list", "0", "sh", "-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"", folder]
  }

  /// After its processes have ended.
  func end() { _ = folder.withCString { rmdir($0) } }
}
