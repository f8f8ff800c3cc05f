// SPDX-License-Identifier: Apache-2.0
// Names of every kind: the odd ones travel, the dangerous ones are refused.

import Glibc
import Testing

@Suite struct NameTests {
  static let oddNames: [RawString] = [
    "two words", " leading and trailing ", "line\nbreak", "tab\tand 'quotes\"", "-rf", "--json", "ünïcødé",
    ".hidden", "...", "~", "back\\slash", "a:b", RawString(bytes: [0xff, 0xfe, 0x80, 0x41]),
    RawString(bytes: [1, 0x7f]),
    RawString(bytes: Array(repeating: 0x6e, count: 255)),
  ]

  /// Puts and gets a file under each odd name; a download is cut once, so that the partial file has a name too.
  @Test(arguments: oddNames.indices)
  func oddNameTravels(_ index: Int) throws {
    try withTrial("\(#function) \(index)") { trial in
      let name = Self.oddNames[index]
      let daemon = try trial.daemon()
      let proxy = try trial.proxy(to: daemon)
      let client = try trial.client()
      let size = 3 * blockSize + 5
      try Files.writeRandom(size, to: client.folder / name, using: &trial.random)

      proxy.strike(.reset, after: 2 * blockSize, .toServer)
      let put = try client.transfer("put", retryFor: 60, ["--", name, proxy.url()])
      #expect(put.status == 0, trial.note(put))
      #expect(Files.tree(daemon.root) == [name], trial.note(put))
      #expect(try Files.difference(client.folder / name, daemon.root / name) == nil, trial.note(put))

      let other = try trial.client()
      proxy.strike(.reset, after: 2 * blockSize, .toClient)
      let get = try other.transfer("get", retryFor: 60, ["--", proxy.url(name)])
      #expect(get.status == 0, trial.note(get))
      #expect(Files.names(in: other.folder) == [name], trial.note(get))
      #expect(try Files.difference(client.folder / name, other.folder / name) == nil, trial.note(get))
    }
  }

  static let refusedNames: [RawString] = [
    "../escape", "a/../../escape", "..", "/etc/escape", "//escape", ".splice/escape", ".splice/stage/escape", ".splice",
    "a//b", "a/./b", "outward/escape", RawString(bytes: Array(repeating: 0x6e, count: 256)),
  ]

  /// Refuses each dangerous name in one line that shows it; nothing is written, inside the root or outside.
  @Test(arguments: refusedNames.indices)
  func dangerousNameIsRefused(_ index: Int) throws {
    try withTrial("\(#function) \(index)") { trial in
      let name = Self.refusedNames[index]
      let outside = try trial.newFolder("outside")
      let daemon = try trial.daemon()
      // A symbolic link inside the root that leads out of it.
      _ = (daemon.root / "outward").withCString { link in outside.withCString { symlink($0, link) } }
      let source = try trial.sample(1000)
      let client = try trial.client()
      let before = Files.tree(trial.folder)
      let run = try client.transfer("put", [source, daemon.url(name)])
      #expect(run.status == 1 || run.status == 2, trial.note(run))
      #expect(run.errorLines.count == 1, trial.note(run))
      #expect(run.error.contains(name.description), trial.note(run))
      // The client may keep a cache in its home.
      let added = Files.tree(trial.folder).filter { !before.contains($0) && !$0.description.contains("-home/") }
      #expect(added.isEmpty, trial.note(run))
      #expect(daemon.staged("").isEmpty, trial.note(run))
    }
  }

  /// What Splice keeps for itself is neither listed nor served.
  @Test func ownFolderIsHidden() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let client = try trial.client()
      try Files.write([1], to: daemon.root / "visible")
      let listing = try client.run(["ls", daemon.url()])
      #expect(listing.status == 0, trial.note(listing))
      #expect(listing.outputText.contains("visible"), trial.note(listing))
      #expect(!listing.outputText.contains(".splice"), trial.note(listing))
      for verb in ["ls", "stat", "rm", "get"] as [RawString] {
        let run = try client.run([verb, daemon.url(".splice/stage")])
        #expect(run.status == 1 || run.status == 2, trial.note(run))
      }
      #expect(Files.exists(daemon.root / ".splice/stage"), trial.note())
    }
  }
}
