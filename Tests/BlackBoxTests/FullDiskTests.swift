// SPDX-License-Identifier: Apache-2.0
// A disk that fills up: a clear error, the partial file stays, and freed space lets it go on.

import Testing

@Suite struct FullDiskTests {
  private static let size = 6 * blockSize + 11

  /// A file larger than the daemon's disk is refused with the path and the reason.
  @Test func fileLargerThanTheDisk() throws {
    try withTrial { trial in
      let disk = try trial.disk("4m")
      let daemon = try trial.daemon(root: disk.path, under: disk.prefix)
      let source = try trial.sample(Self.size)
      let run = try trial.client().transfer("put", [source, daemon.url("file.bin")])
      expectNoSpace(run, trial)
      #expect(!Files.exists(disk.outside / "file.bin"), trial.note(run))
    }
  }

  /// Fills the daemon's disk during an upload: what was stored stays, and the next run goes on from there.
  @Test func uploadGoesOnWhenSpaceIsFreed() throws {
    try withTrial { trial in
      let disk = try trial.disk("8m")
      let daemon = try trial.daemon(root: disk.path, under: disk.prefix)
      let proxy = try trial.proxy(to: daemon)
      let client = try trial.client()
      let source = try trial.sample(Self.size)
      proxy.strike(.close, after: 3 * blockSize + 1000, .toServer)
      let broken = try client.transfer("put", [source, proxy.url("file.bin")])
      #expect(broken.status == 75, trial.note(broken))
      try Files.fillDisk(with: disk.outside / "filler")

      // The daemon may have reserved the room for the whole file; then the full disk does not matter.
      let full = try client.transfer("put", [source, proxy.url("file.bin")])
      if full.status != 0 { expectNoSpace(full, trial) }

      let removal = try client.run(["rm", daemon.url("filler")])
      #expect(removal.status == 0, trial.note(removal))
      let last = try client.transfer("put", [source, proxy.url("file.bin")])
      #expect(last.status == 0, trial.note(last))
      if full.status != 0 { #expect(try last.receipt().resumedFrom > 0, trial.note(last)) }
      #expect(try Files.difference(source, disk.outside / "file.bin") == nil, trial.note(last))
    }
  }

  /// Puts against a disk without room, then with room.
  @Test func refusedUploadWorksWithRoom() throws {
    try withTrial { trial in
      let disk = try trial.disk("8m")
      let daemon = try trial.daemon(root: disk.path, under: disk.prefix)
      let client = try trial.client()
      let filler = try trial.client().transfer("put", [trial.sample(4 * blockSize), daemon.url("filler")])
      #expect(filler.status == 0, trial.note(filler))
      let source = try trial.sample(Self.size)
      expectNoSpace(try client.transfer("put", [source, daemon.url("file.bin")]), trial)
      let removal = try client.run(["rm", daemon.url("filler")])
      #expect(removal.status == 0, trial.note(removal))
      let last = try client.transfer("put", [source, daemon.url("file.bin")])
      #expect(last.status == 0, trial.note(last))
      #expect(try Files.difference(source, disk.outside / "file.bin") == nil, trial.note(last))
    }
  }

  /// The same at the client's side: a download to a full disk, then with room.
  @Test func downloadGoesOnWhenSpaceIsFreed() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      try Files.writeRandom(Self.size, to: daemon.root / "file.bin", using: &trial.random)
      let disk = try trial.disk("8m")
      try Files.write([UInt8](repeating: 0, count: 4 * blockSize), to: disk.outside / "filler")
      let client = try trial.client(under: disk.prefix)
      let target = disk.path / "file.bin"
      expectNoSpace(try client.transfer("get", [daemon.url("file.bin"), target]), trial)
      let kept = Files.size(of: disk.outside / "file.bin.splice-part") ?? 0

      try Files.remove(disk.outside / "filler")
      let run = try client.transfer("get", [daemon.url("file.bin"), target])
      #expect(run.status == 0, trial.note(run))
      if kept >= 2 * blockSize { #expect(try run.receipt().resumedFrom > 0, trial.note(run)) }
      #expect(try Files.difference(daemon.root / "file.bin", disk.outside / "file.bin") == nil, trial.note(run))
      #expect(Files.names(in: disk.outside) == ["file.bin"], trial.note(run))
    }
  }

  private func expectNoSpace(_ run: ClientRun, _ trial: Trial) {
    #expect(run.status == 1 || run.status == 75, trial.note(run))
    #expect(run.errorLines.count == 1, trial.note(run))
    #expect(run.error.lowercased().contains("no space"), trial.note(run))
    #expect(run.error.contains("file.bin"), trial.note(run))
  }
}
