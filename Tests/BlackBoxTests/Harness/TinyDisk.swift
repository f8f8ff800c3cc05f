// SPDX-License-Identifier: Apache-2.0
// A small or read-only file system that only the programs under test see.

import Glibc

/// A tmpfs in a mount namespace of its own, kept by a process that waits for the end of its input.
///
/// Works for root, and for others where the kernel lets them make user namespaces.
final class TinyDisk {
  /// Where the disk is, for programs that run under `prefix`.
  let path: RawString
  private let holder: ChildProcess

  /// - Parameter size: for tmpfs, such as "8m".
  init(at path: RawString, size: RawString) throws {
    self.path = path
    try Files.makeFolder(path)
    let script: RawString = "mount -t tmpfs -o mode=0777,size=\(size) none \"$1\" && echo ready && exec cat"
    let asUser: [RawString] = geteuid() == 0 ? [] : ["--map-root-user"]
    holder = try ChildProcess(
      ["unshare"] + asUser + ["--mount", "--propagation", "private", "sh", "-c", script, "sh", path], hasInput: true)
    let holder = self.holder
    guard eventually({ !holder.standardOutput.isEmpty || !holder.isRunning }), holder.isRunning else {
      throw Failure("cannot mount a small disk in a mount namespace: \(holder.standardError)")
    }
  }

  /// Starts a command in the namespace that has the disk.
  var prefix: [RawString] {
    let user: [RawString] = geteuid() == 0 ? [] : ["--user", "--preserve-credentials"]
    return ["nsenter"] + user + ["--mount", "--target", "\(holder.pid)", "--"]
  }

  /// Where the disk is for this process.
  var outside: RawString { "/proc/\(holder.pid)/root\(path)" }

  func makeReadOnly() throws {
    let remount = try ChildProcess(prefix + ["mount", "-o", "remount,ro", path])
    guard try remount.wait() == .exited(0) else { throw Failure("cannot remount: \(remount.standardError)") }
  }

  func end() {
    holder.closeInput()
    holder.killNow()
  }
}
