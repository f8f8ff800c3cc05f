// SPDX-License-Identifier: Apache-2.0
// The small commands, wrong command lines and addresses where nobody listens.

import Glibc
import Testing

@Suite struct CommandTests {
  /// `ls`, `stat`, `verify` and `rm` do what they say and exit 0.
  @Test func commandsWork() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let client = try trial.client()
      try Files.makeFolder(daemon.root / "folder")
      try Files.write(trial.random.bytes(54321), to: daemon.root / "folder/one file")
      try Files.write([], to: daemon.root / "folder/empty")
      let path = daemon.url("folder/one file")

      let listing = try client.run(["ls", daemon.url("folder")])
      #expect(listing.status == 0, trial.note(listing))
      #expect(listing.outputText.contains("one file") && listing.outputText.contains("empty"), trial.note(listing))
      let top = try client.run(["ls", daemon.url()])
      #expect(top.status == 0 && top.outputText.contains("folder"), trial.note(top))
      let status = try client.run(["stat", path])
      #expect(status.status == 0 && status.outputText.contains("54321"), trial.note(status))
      let verified = try client.run(["verify", path])
      #expect(verified.status == 0, trial.note(verified))
      let removal = try client.run(["rm", path])
      #expect(removal.status == 0, trial.note(removal))
      #expect(Files.tree(daemon.root) == ["folder/", "folder/empty"], trial.note())
      #expect([listing, top, status, verified, removal].allSatisfy { $0.error.isEmpty }, trial.note())
    }
  }

  /// The digests of an upload are kept, over a restart too: `verify` has something to compare with.
  @Test func digestsOfAnUploadAreKept() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let client = try trial.client()
      // More than one block, and enough for a name in the digest book.
      for blocks in [3, 70] {
        let source = try trial.sample(blocks * blockSize + 17)
        let path = daemon.url("\(blocks)")
        #expect(try client.transfer("put", [source, path]).status == 0, trial.note())
        #expect(try client.run(["verify", path]).outputText.contains("intact"), trial.note())
      }
      try daemon.restart()
      for blocks in [3, 70] {
        let path = daemon.url("\(blocks)")
        #expect(try !client.run(["stat", path]).outputText.contains("not known"), trial.note())
        let intact = try client.run(["verify", path])
        #expect(intact.status == 0 && intact.outputText.contains("intact"), trial.note(intact))
      }
    }
  }

  /// Each command on a path that is not there exits 1 with one line that names it.
  @Test(arguments: ["ls", "stat", "rm", "verify", "get"])
  func missingPathIsNamed(_ verb: String) throws {
    try withTrial("\(#function) \(verb)") { trial in
      let daemon = try trial.daemon()
      let client = try trial.client()
      let run = try client.run([RawString(verb), daemon.url("no/such file")])
      #expect(run.status == 1, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("no/such file"), trial.note(run))
      #expect(Files.names(in: client.folder).isEmpty, trial.note(run))
    }
  }

  /// A source that is not there exits 1 with one line that names it; the others still go.
  @Test func missingSourceIsNamed() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let source = try trial.sample(1000)
      let run = try trial.client().transfer("put", [trial.folder / "no such file", source, daemon.url()])
      #expect(run.status == 1, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("no such file"), trial.note(run))
      #expect(Files.tree(daemon.root).count == 1, trial.note(run))
    }
  }

  /// Several files go to the server's root in one run, with one receipt each that has every field.
  @Test func severalFilesInOneRun() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let sources = try [0, 10, blockSize + 1].map { try trial.sample($0, "file-\($0)") }
      let run = try trial.client().transfer("put", sources + [daemon.url()])
      #expect(run.status == 0, trial.note(run))
      let receipts = try run.receipts()
      #expect(receipts.count == 3, trial.note(run))
      #expect(receipts.allSatisfy { $0.fields.isSuperset(of: Receipt.contract) }, trial.note(run))
      #expect(Files.tree(daemon.root).count == 3, trial.note(run))
    }
  }

  /// Without a terminal and without `--json` a transfer says one line.
  @Test func plainTransferSaysOneLine() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let run = try trial.client().run(["put", trial.sample(1000, "plain"), daemon.url()])
      #expect(run.status == 0, trial.note(run))
      let lines = run.outputText.split(separator: "\n") + run.errorLines
      #expect(lines.count == 1 && lines[0].contains("plain"), trial.note(run))
    }
  }

  /// A port where nobody listens: exit 75 and 'cannot connect', at once.
  @Test(arguments: ["put", "get", "ls"])
  func nobodyListens(_ verb: String) throws {
    try withTrial("\(#function) \(verb)") { trial in
      // Bound and not listening: the port refuses, and nobody else gets it meanwhile.
      let (descriptor, port) = try Sockets.bound()
      defer { close(descriptor) }
      let source = try trial.sample(1000)
      let url: RawString = "splice://127.0.0.1:\(port)/x"
      let client = try trial.client()
      let run =
        switch verb {
        case "put": try client.transfer("put", [source, url])
        case "get": try client.transfer("get", [url])
        default: try client.run([RawString(verb), url])
        }
      #expect(run.status == 75, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("cannot connect"), trial.note(run))
      #expect(run.error.contains("\(port)"), trial.note(run))
    }
  }

  static let wrongCommandLines: [[RawString]] = [
    [], ["fetch"], ["put"], ["put", "file"], ["get"], ["ls"], ["rm"], ["stat"], ["verify"],
    ["put", "--no-such-option", "a", "splice://h/"], ["put", "a", "b"], ["get", "not-a-url"],
    ["ls", "http://127.0.0.1/"], ["put", "--retry-for", "soon", "a", "splice://h/"],
    ["ls", "splice://127.0.0.1:99999/"], ["ls", "splice:///path"],
  ]

  /// A wrong command line exits 2 and says why.
  @Test(arguments: wrongCommandLines.indices)
  func wrongCommandLine(_ index: Int) throws {
    try withTrial("\(#function) \(index)") { trial in
      let run = try trial.client().run(Self.wrongCommandLines[index])
      #expect(run.status == 2, trial.note(run))
      #expect(!run.error.isEmpty && run.output.isEmpty, trial.note(run))
    }
  }

  static let wrongDaemonLines: [[RawString]] = [
    [], ["--listen", "nonsense", "ROOT"], ["--workers", "none", "ROOT"], ["--no-such-option", "ROOT"],
    ["ROOT", "another"],
    ["--checkpoint", "much", "ROOT"], ["--idle-timeout", "-1", "ROOT"],
  ]

  /// The daemon's wrong command lines exit 2 and say why.
  @Test(arguments: wrongDaemonLines.indices)
  func wrongDaemonLine(_ index: Int) throws {
    try withTrial("\(#function) \(index)") { trial in
      let root = try trial.newFolder("root")
      let arguments = Self.wrongDaemonLines[index].map { $0 == "ROOT" ? root : $0 }
      let process = try ChildProcess(Binaries.daemon() + arguments)
      let ending = try process.wait(seconds: 10)
      #expect(ending == .exited(2), trial.note(process.standardError))
      #expect(!process.standardError.isEmpty, trial.note())
    }
  }

  /// A reason is said once, in the code's words or the kernel's.
  @Test func reasonsAreNotDoubled() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let run = try trial.client().run(["get", daemon.url("missing")])
      #expect(run.error == "splice: missing: no such file\n", trial.note(run))
    }
  }

  /// A file for a name that is a folder on the server: the error says how the folder is meant.
  @Test func folderInPlaceOfANameGivesAHint() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      try Files.makeFolder(daemon.root / "backup")
      let run = try trial.client().run(["put", trial.sample(1000), daemon.url("backup")])
      #expect(run.status == 1, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("end the address with '/'"), trial.note(run))
      // Below a folder it is no question of how the address was written.
      let tree = try trial.newFolder("tree")
      try Files.write([1], to: tree / "backup")
      let other = try trial.client().run(["put", "-r", tree + "/.", daemon.url()])
      #expect(other.status == 1 && !other.error.contains("end the address"), trial.note(other))
    }
  }

  /// An empty folder is as durable as a file, and has no bytes.
  @Test func emptyFolderHasAResult() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let tree = try trial.newFolder("tree")
      try Files.makeFolder(tree / "empty")
      let client = try trial.client()
      let run = try client.transfer("put", ["-r", tree, daemon.url("copy")])
      #expect(run.status == 0, trial.note(run))
      #expect(try run.receipt().size == 0, trial.note(run))
      #expect(run.outputText.contains("\"durable\":true"), trial.note(run))
      let again = try client.run(["put", "-r", tree, daemon.url("other")])
      #expect(again.status == 0 && !again.outputText.contains("not yet"), trial.note(again))
    }
  }

  /// Somebody planted a link under the name of the unfinished file: what it leads to is not touched.
  @Test func downloadIsNotWrittenThroughALink() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      try Files.writeRandom(2 * blockSize, to: daemon.root / "x", using: &trial.random)
      let victim = try trial.sample(100, "victim")
      let before = try Files.read(victim)
      for suffix in [".splice-part", ".splice-journal"] as [RawString] {
        let client = try trial.client()
        if suffix == ".splice-journal" { try Files.write([1], to: client.folder / "x.splice-part") }
        try Files.makeLink(client.folder / "x" + suffix, to: victim)
        let run = try client.transfer("get", [daemon.url("x")])
        #expect(run.status == 1, trial.note(run))
        #expect(run.errorLines.count == 1 && run.error.contains("remove that first"), trial.note(run))
        #expect(Files.exists(client.folder / "x" + suffix), trial.note(run))
        #expect(try Files.read(victim) == before, trial.note(run))
      }
    }
  }
}
