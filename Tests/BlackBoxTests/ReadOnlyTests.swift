// SPDX-License-Identifier: Apache-2.0
// Places that cannot be written: a read-only daemon, a read-only folder at the client.

import Testing

@Suite struct ReadOnlyTests {
  /// A daemon with `--read-only` serves, and refuses to store or remove.
  @Test func readOnlyDaemonServesAndRefuses() throws {
    try withTrial { trial in
      let root = try trial.newFolder("root")
      let bytes = trial.random.bytes(2 * blockSize + 3)
      try Files.write(bytes, to: root / "file.bin")
      let daemon = try trial.daemon(["--read-only"], root: root)
      let client = try trial.client()

      let get = try client.transfer("get", [daemon.url("file.bin")])
      #expect(get.status == 0, trial.note(get))
      #expect(try Files.read(client.folder / "file.bin") == bytes, trial.note(get))

      let source = try trial.sample(1000)
      for run in [
        try client.transfer("put", [source, daemon.url("new.bin")]),
        try client.transfer("put", [source, daemon.url("file.bin")]),
        try client.run(["rm", daemon.url("file.bin")]),
      ] {
        #expect(run.status == 1, trial.note(run))
        #expect(run.errorLines.count == 1, trial.note(run))
        #expect(run.error.contains(".bin"), trial.note(run))
        #expect(run.error.contains("denied") || run.error.contains("read-only"), trial.note(run))
      }
      #expect(Files.tree(root) == ["file.bin"], trial.note())
      #expect(try Files.read(root / "file.bin") == bytes, trial.note())
    }
  }

  /// A download into a read-only folder fails in one line that names the path.
  @Test func readOnlyFolderAtTheClient() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      try Files.write(trial.random.bytes(1000), to: daemon.root / "file.bin")
      let disk = try trial.disk("1m")
      try disk.makeReadOnly()
      let client = try trial.client(under: disk.prefix)
      let run = try client.transfer("get", [daemon.url("file.bin"), disk.path / "file.bin"])
      #expect(run.status == 1, trial.note(run))
      #expect(run.errorLines.count == 1, trial.note(run))
      #expect(run.error.contains("\(disk.path)/file.bin"), trial.note(run))
      #expect(run.error.lowercased().contains("read-only"), trial.note(run))
      #expect(Files.names(in: disk.outside).isEmpty, trial.note(run))
    }
  }
}
