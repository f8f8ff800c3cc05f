// SPDX-License-Identifier: Apache-2.0
// What the daemon gives up before it serves: rights of root, and everything outside of its folder.
// That the kernel then refuses what is outside is shown in SpliceSystemTests, where a test can try.

import Glibc
import Testing

@Suite struct ConfinementTests {
  /// Every thread has given up new privileges, and the log says how far the confinement goes.
  @Test(arguments: [[], ["--read-only"], ["--workers", "3"]] as [[RawString]])
  func daemonConfinesAllOfItself(_ arguments: [RawString]) throws {
    try withTrial { trial in
      let daemon = try trial.daemon(arguments)
      #expect(eventually { ProcessStatus.threads(of: daemon.process.pid).count > 1 }, trial.note())
      #expect(eventually { daemon.process.standardError.contains("confined to the folder") }, trial.note())
      let log = daemon.process.standardError
      if log.contains("not confined") {
        #expect(log.contains("<4>spliced: not confined to the folder: Landlock: "), trial.note())
        return
      }
      for thread in ProcessStatus.threads(of: daemon.process.pid) {
        #expect(try ProcessStatus(daemon.process.pid, thread: thread).words("NoNewPrivs") == ["1"], trial.note())
      }
    }
  }

  /// What it needs outside of its folder still works: a fresh file of options, and its socket's end.
  @Test func confinedDaemonKeepsItsOptionsAndItsSocket() throws {
    try withTrial { trial in
      let (etc, run) = (try trial.newFolder("etc"), try trial.newFolder("run"))
      try Files.write(Array("max-transfers 5\n".utf8), to: etc / "options")
      let daemon = try trial.daemon(["--options", etc / "options", "--control", run / "control"])
      #expect(Files.exists(run / "control"), trial.note())
      // As editors do it: another file under the same name.
      try Files.remove(etc / "options")
      try Files.write(Array("max-transfers 7\n".utf8), to: etc / "options")
      daemon.process.send(SIGHUP)
      let log = { daemon.process.standardError }
      #expect(eventually { log().contains("the limits are those of the options now") }, trial.note())
      #expect(try daemon.terminate() == .exited(0), trial.note())
      #expect(Files.names(in: run).isEmpty, trial.note())
    }
  }

  /// `--user` serves with the rights of that user, and no others of root's.
  @Test(.enabled(if: geteuid() == 0), arguments: ["nobody", "65534:65534"] as [RawString])
  func daemonServesAsAnotherUser(_ user: RawString) throws {
    try withTrial { trial in
      try trial.openToEverybody()
      let root = try trial.newFolder("root")
      #expect(root.withCString { chown($0, 65534, 65534) } == 0)
      let daemon = try trial.daemon(["--user", user], root: root)
      let status = try ProcessStatus(daemon.process.pid)
      #expect(status.words("Uid") == ["65534", "65534", "65534", "65534"], trial.note())
      #expect(status.words("Gid") == ["65534", "65534", "65534", "65534"], trial.note())
      #expect(status.words("Groups") == [], trial.note())
      #expect(status.words("CapEff") == ["0000000000000000"], trial.note())
      #expect(status.words("CapPrm") == ["0000000000000000"], trial.note())

      let run = try trial.client().transfer("put", [trial.sample(blockSize + 1), daemon.url("sub/file.bin")])
      #expect(run.status == 0, trial.note(run))
      for path in ["sub", "sub/file.bin", ".splice"] as [RawString] {
        let status = try Files.status(of: root / path)
        #expect(status.st_uid == 65534 && status.st_gid == 65534, trial.note())
      }
    }
  }

  /// A user that is not there, or that this process may not become, is named in one line.
  @Test func wrongUserIsNamed() throws {
    try withTrial { trial in
      let root = try trial.newFolder("root")
      for user in geteuid() == 0 ? ["no-such-user", "1:", "a:b"] : ["no-such-user", "0:0"] as [RawString] {
        let process = try ChildProcess(Binaries.daemon() + ["--listen", "127.0.0.1:0", "--user", user, root])
        #expect(try process.wait() == .exited(1), trial.note(process.standardError))
        let lines = process.standardError.split(separator: "\n")
        #expect(lines.count == 1 && lines[0].contains("'\(user)'"), trial.note(process.standardError))
        #expect(Files.names(in: root).isEmpty, trial.note())
      }
    }
  }
}
