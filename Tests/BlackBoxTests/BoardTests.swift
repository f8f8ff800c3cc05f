// SPDX-License-Identifier: Apache-2.0
// Machines that are not like a desk: hardly any memory, nothing to write to, clocks that are wrong.

import Foundation
import Glibc
import Testing

@Suite struct BoardTests {
  /// 32 MiB and one processor for the daemon, the client and the pages of their files: three times as much
  /// passes through, up and down.
  @Test(.enabled(if: geteuid() == 0 && Binaries.runner.isEmpty && MemoryGroup.isPossible))
  func littleMemoryIsEnough() throws {
    try withTrial { trial in
      let group = try MemoryGroup(name: "splice-test-\(getpid())", bytes: 32 << 20)
      let daemon = try trial.daemon(["--memory", "2MiB"], under: group.prefix)
      let client = try trial.client(under: group.prefix)
      let source = try trial.sample(96 << 20)
      let put = try client.transfer("put", [source, daemon.url("file.bin")])
      #expect(put.status == 0, trial.note(put))
      let get = try client.transfer("get", [daemon.url("file.bin")])
      #expect(get.status == 0, trial.note(get))
      #expect(try Files.difference(source, client.folder / "file.bin") == nil, trial.note())
      #expect(try daemon.terminate() == .exited(0), trial.note())
      group.end()
    }
  }

  /// A root that holds nothing but the two static programs and perhaps /proc, and cannot be written; one folder that
  /// can. No /tmp, no /etc, no /dev, no environment.
  @Test(.enabled(if: geteuid() == 0 && Binaries.runner.isEmpty), arguments: [true, false])
  func oneWritableFolderIsEnough(hasProc: Bool) throws {
    try withTrial { trial in
      let system = try trial.newFolder("system")
      for name in ["proc", "data"] as [RawString] { try Files.makeFolder(system / name) }
      for name in ["spliced", "splice"] as [RawString] {
        try Files.write(Files.read(Binaries.staticFolder / name), to: system / name)
        #expect((system / name).withCString { chmod($0, 0o755) } == 0)
      }
      let script: RawString = """
        mount --bind "$0" "$0" && \(hasProc ? "mount -t proc none \"$0/proc\" &&" : "")
        mount -t tmpfs -o size=64m none "$0/data" &&
        mount -o remount,bind,ro "$0" && exec env -i "$(command -v chroot)" "$0" "$@"
        """
      let daemon = try ChildProcess(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, system]
          + ["/spliced", "--listen", "127.0.0.1:0", "--port-file", "/data/port", "/data"])
      let data: RawString = "/proc/\(daemon.pid)/root/data"
      #expect(eventually { Files.exists(data / "port") || !daemon.isRunning }, trial.note(daemon.standardError))
      guard daemon.isRunning else { throw Failure("spliced has ended: \(daemon.standardError)") }
      let port = String(decoding: try Files.read(data / "port"), as: UTF8.self).dropLast()
      #expect(!Files.exists("/proc/\(daemon.pid)/root/tmp"), trial.note(daemon.standardError))

      let bytes = trial.random.bytes(3 * blockSize + 7)
      try Files.write(bytes, to: data / "source")
      let inside: [RawString] = ["nsenter", "--target", "\(daemon.pid)", "--mount", "--root", "--wd"]
      for arguments in [
        ["put", "/data/source", "splice://127.0.0.1:\(port)/a/b"],
        ["get", "splice://127.0.0.1:\(port)/a/b", "/data/back"],
        ["verify", "splice://127.0.0.1:\(port)/a/b"],
        ["sessions", "--control", "/data"],
      ] as [[RawString]] {
        let run = try ClientRun(ChildProcess(inside + ["/splice"] + arguments, environment: []))
        #expect(run.status == 0, trial.note("\(run)\n\(daemon.standardError)"))
      }
      #expect(try Files.read(data / "a/b") == bytes, trial.note(daemon.standardError))
      #expect(try Files.read(data / "back") == bytes, trial.note(daemon.standardError))
      daemon.send(SIGTERM)
      #expect(try daemon.wait() == .exited(0), trial.note(daemon.standardError))
    }
  }

  /// An upload that was begun while the clock said 1970 does not look 56 years old once it is set, and goes on.
  @Test func partialOfAnUnsetClockIsKept() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 8 * blockSize)
      try transfer.breakInTheMiddle()
      let (data, journal) = (try transfer.partial(), try transfer.journal())
      transfer.daemon.process.killNow()
      for path in [data, journal] { try setModified(path, 120) }
      try transfer.daemon.restart()
      // The sweep at the start starts its age over.
      #expect(eventually { ((try? Files.status(of: journal))?.st_mtim.tv_sec ?? 0) > 1_577_836_800 }, trial.note())
      #expect(Files.exists(data), trial.note())
      transfer.proxy.redirect(to: transfer.daemon)
      #expect(try transfer.finish().resumedFrom > 0, trial.note())
    }
  }

  /// What is really old still goes, though not before the daemon has been there for somebody to come back.
  @Test func oldPartialIsRemoved() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 8 * blockSize, daemonArguments: ["--partial-expiry", "8s"])
      try transfer.breakInTheMiddle()
      #expect(eventually { transfer.daemon.staged("").isEmpty }, trial.note())
      let log = { transfer.daemon.process.standardError }
      #expect(eventually { log().contains("removed 1 unfinished") }, trial.note())
    }
  }

  /// Times of files are the sender's, however odd.
  @Test(arguments: [0, 42, 4_102_444_800])
  func timesOfFilesSurvive(_ seconds: Int) throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let client = try trial.client()
      let source = try trial.sample(1000)
      try setModified(source, seconds)
      let put = try client.transfer("put", [source, daemon.url("file.bin")])
      #expect(put.status == 0, trial.note(put))
      let get = try client.transfer("get", [daemon.url("file.bin")])
      #expect(get.status == 0, trial.note(get))
      for path in [daemon.root / "file.bin", client.folder / "file.bin"] {
        #expect(try Files.status(of: path).st_mtim.tv_sec == seconds, trial.note())
      }
    }
  }

  private func setModified(_ path: RawString, _ seconds: Int) throws {
    let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
    try checked(path.withCString { utimensat(AT_FDCWD, $0, times, 0) }, "utimensat", on: path)
  }
}
