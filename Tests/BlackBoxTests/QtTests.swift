// SPDX-License-Identifier: Apache-2.0
// The deployed Qt clients: what they upload and download arrives, in the bytes of the capture.

import Foundation
import Testing

@Suite struct QtTests {
  private static let qt: [RawString] = ["--qt", "127.0.0.1:0"]

  private func daemon(_ trial: Trial, _ more: [RawString] = []) throws -> Daemon { try trial.daemon(Self.qt + more) }

  /// Everything that the client of the capture said, one after the other, and what it heard.
  private func vectors() throws -> [String: [UInt8]] {
    let text = String(decoding: try Files.read(Binaries.sources / "Tests/Vectors/qt.hex"), as: UTF8.self)
    var vectors: [String: [UInt8]] = [:]
    var name = ""
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      if line.hasPrefix("[") { name = String(line.dropFirst().dropLast()) }
      guard line.allSatisfy(\.isHexDigit) else { continue }
      let digits = Array(line)
      for index in stride(from: 0, to: digits.count, by: 2) {
        vectors[name, default: []].append(try #require(UInt8(String(digits[index...index + 1]), radix: 16)))
      }
    }
    return vectors
  }

  /// Clients that are gone while their requests, many in one piece, are being answered.
  @Test func clientsThatVanishHarmNobody() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      try Files.write([1], to: daemon.root / "a")
      let burst = (0..<50).flatMap { _ in QtMessage.downloadHeader("a").encoded }
      for _ in 0..<300 {
        let peer = try RawPeer(to: daemon.qtPort())
        peer.send(burst)
        peer.diesAtEnd = true
      }
      #expect(try QtPeer(to: daemon).download("a")?.bytes == [1], trial.note())
    }
  }

  // MARK: The capture

  @Test func uploadIsThatOfTheCapture() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let bytes = try vectors()
      let peer = try RawPeer(to: daemon.qtPort())
      for (request, reply) in [
        ("upload-header", "upload-header-reply-nothing"), ("upload-position", "upload-position-reply"),
        ("upload-content", "upload-tail"),
      ] {
        peer.send(try #require(bytes[request]))
        let expected = try #require(bytes[reply])
        #expect(try peer.read(expected.count) == expected, trial.note(reply))
      }
      #expect(try Files.read(daemon.root / "a.txt") == Array("hello resumable world\n".utf8))
      #expect(daemon.staged("").isEmpty, trial.note())
    }
  }

  /// The file with the first ten bytes is a finished one here: it stays until the new one is whole.
  @Test func resumedUploadIsThatOfTheCapture() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let bytes = try vectors()
      try Files.write(Array("hello resu".utf8), to: daemon.root / "a.txt")
      let peer = try RawPeer(to: daemon.qtPort())
      for (request, reply) in [
        ("upload-header", "upload-header-reply-partial"), ("upload-position-partial", "upload-position-reply"),
      ] {
        peer.send(try #require(bytes[request]))
        let expected = try #require(bytes[reply])
        #expect(try peer.read(expected.count) == expected, trial.note(reply))
      }
      #expect(try Files.read(daemon.root / "a.txt") == Array("hello resu".utf8))
      peer.send(Array("mable world\n".utf8))
      let tail = try #require(bytes["upload-tail"])
      #expect(try peer.read(tail.count) == tail, trial.note())
      #expect(try Files.read(daemon.root / "a.txt") == Array("hello resumable world\n".utf8))
    }
  }

  @Test func trustedDownloadIsThatOfTheCapture() throws {
    try withTrial { trial in
      let daemon = try daemon(trial, ["--qt-trust-download-resume"])
      let bytes = try vectors()
      try Files.write(Array("hello resumable world\n".utf8), to: daemon.root / "a.txt")
      let peer = try RawPeer(to: daemon.qtPort())
      for (request, reply) in [
        ("download-header", "download-header-reply"), ("download-content", "download-content-bytes"),
        ("download-tail", "download-tail-reply"),
      ] {
        peer.send(try #require(bytes[request]))
        let expected = try #require(bytes[reply])
        #expect(try peer.read(expected.count) == expected, trial.note(reply))
      }
    }
  }

  // MARK: Uploads

  /// The original loses messages that come in one piece; here any cut and any joint does.
  @Test func anySegmentsWillDo() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let files = (0..<6).map { ("dir/\($0).bin", trial.random.bytes(1 + 40_000 * $0)) }
      var stream: [UInt8] = []
      for (path, content) in files {
        stream += QtMessage.uploadHeader(path).encoded + QtMessage.uploadPosition(0, Int64(content.count)).encoded
        stream += content
      }
      for most in [1 << 30, 9000, 50] {
        let peer = try QtPeer(to: daemon)
        var rest = stream[...]
        while !rest.isEmpty {
          let count = trial.random.number(in: 1...min(most, rest.count))
          peer.send(Array(rest.prefix(count)))
          rest = rest.dropFirst(count)
        }
        for (path, content) in files {
          // On the second round they are there, and the bytes replace what is the same.
          #expect(try peer.expect(100).status == 0, trial.note(path))
          #expect(try peer.expect(101).status == 0, trial.note(path))
          #expect(try peer.expect(103).status == 0, trial.note(path))
          #expect(try Files.read(daemon.root / RawString(path)) == content, trial.note(path))
        }
      }
    }
  }

  @Test func manyFilesGoOverOneConnection() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let peer = try QtPeer(to: daemon)
      for size in [1, 1000, blockSize - 1, blockSize, blockSize + 1, 3 * blockSize + 7] {
        let content = trial.random.bytes(size)
        let path = "folder/äöü \(size).bin"
        #expect(try peer.upload(content, path) == 0, trial.note())
        #expect(try Files.read(daemon.root / RawString(path)) == content, trial.note(path))
        #expect(try peer.upload(content, path) == nil, trial.note("already there"))
        let received = try #require(try peer.download(path))
        #expect(received.position == 0 && received.bytes == content, trial.note(path))
        #expect(try peer.download(path, held: content) == nil, trial.note("nothing new"))
        // The original client would damage its own file if it got the rest only.
        let again = try #require(try peer.download(path, held: Array(content.prefix(size / 2))))
        #expect(again.position == 0 && again.bytes == content, trial.note(path))
      }
      #expect(daemon.staged("").isEmpty, trial.note())
    }
  }

  /// A cut in the middle: the next connection hears how far it came, with the right digest, and the file that was
  /// there stays until the new one is whole.
  @Test func brokenUploadGoesOn() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let old = Array("the old one".utf8)
      try Files.write(old, to: daemon.root / "file.bin")
      let content = trial.random.bytes(9 * blockSize + 1234)
      for cut in [5 * blockSize + 77, 7 * blockSize] {
        let peer = try QtPeer(to: daemon)
        let (offered, md5) = try peer.offer("file.bin")
        // At first the old file is offered, whose content is another.
        let position = try md5 == Files.md5(content.prefix(Int(offered))) ? offered : 0
        try peer.begin(content, from: position)
        peer.send(Array(content[Int(position)..<cut]))
        #expect(eventually { Files.size(of: daemon.staged().first ?? "") ?? 0 >= cut }, trial.note())
        #expect(try Files.read(daemon.root / "file.bin") == old)
        withExtendedLifetime(peer) {}
      }
      #expect(eventually { daemon.process.standardError.contains("cut off") }, trial.note())
      let last = try QtPeer(to: daemon)
      #expect(try last.upload(content, "file.bin") == Int64(7 * blockSize), trial.note())
      #expect(try Files.read(daemon.root / "file.bin") == content, trial.note())
      #expect(daemon.staged("").isEmpty, trial.note())
    }
  }

  @Test func uploadSurvivesTheDeathOfTheDaemon() throws {
    try withTrial { trial in
      let daemon = try daemon(trial, ["--checkpoint", "1MiB,1"])
      let content = trial.random.bytes(8 * blockSize + 5)
      let peer = try QtPeer(to: daemon)
      _ = try peer.offer("file.bin")
      try peer.begin(content, from: 0)
      peer.send(Array(content[..<(6 * blockSize + 99)]))
      #expect(eventually { Files.size(of: daemon.staged().first ?? "") ?? 0 > 6 * blockSize }, trial.note())
      try daemon.restart()
      let next = try QtPeer(to: daemon)
      let position = try #require(try next.upload(content, "file.bin"))
      #expect(position >= 6 * blockSize, trial.note("went on at \(position)"))
      #expect(try Files.read(daemon.root / "file.bin") == content, trial.note())
    }
  }

  /// All bytes of a file came, and the daemon died before it had its name. A client that is offered as much as it has
  /// says 'already there' and never comes back to it; so it is offered less.
  @Test func wholeButUnnamedFileGetsItsName() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 3 * blockSize, daemonArguments: Self.qt)
      transfer.proxy.strike(.close, after: 2 * blockSize, .toServer)
      _ = try transfer.run()
      #expect(eventually { !transfer.daemon.staged().isEmpty }, trial.note())
      transfer.daemon.process.killNow()
      // As if all but the name had been done; what is in the stage is read again, and believed by its digest only.
      let content = try Files.read(transfer.source)
      let staged = try transfer.partial()
      try Files.append(Array(content[(Files.size(of: staged) ?? 0)...]), to: staged)
      try transfer.daemon.restart()
      let peer = try QtPeer(to: transfer.daemon)
      #expect(try peer.upload(content, "file.bin") == Int64(3 * blockSize - 1), trial.note())
      #expect(try Files.read(transfer.target) == content)
    }
  }

  // MARK: Both protocols

  @Test func spliceFinishesWhatQtBegan() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let source = try trial.sample(10 * blockSize + 321)
      let content = try Files.read(source)
      do {
        let peer = try QtPeer(to: daemon)
        _ = try peer.offer("file.bin")
        try peer.begin(content, from: 0)
        peer.send(Array(content[..<(6 * blockSize + 99)]))
        #expect(eventually { Files.size(of: daemon.staged().first ?? "") ?? 0 > 6 * blockSize }, trial.note())
      }
      let run = try trial.client().transfer("put", retryFor: 20, [source, daemon.url("file.bin")])
      #expect(run.status == 0, trial.note(run))
      #expect(try run.receipt().resumedFrom >= 6 * blockSize, trial.note(run))
      #expect(try Files.difference(source, daemon.root / "file.bin") == nil, trial.note(run))
    }
  }

  @Test func qtFinishesWhatSpliceBegan() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 10 * blockSize + 321, daemonArguments: Self.qt)
      try transfer.breakInTheMiddle()
      let content = try Files.read(transfer.source)
      let peer = try QtPeer(to: transfer.daemon)
      // The daemon hears of the broken link when it does; until then the file is being written.
      let isFree = try eventually {
        peer.send(.uploadHeader("file.bin"))
        return try peer.expect(100).status == 0
      }
      #expect(isFree, trial.note())
      let position = try #require(try peer.upload(content, "file.bin"))
      #expect(position >= 2 * blockSize, trial.note("went on at \(position)"))
      #expect(try Files.difference(transfer.source, transfer.target) == nil, trial.note())
      #expect(transfer.daemon.staged("").isEmpty, trial.note())
      // The digests are those of any other upload.
      let check = try transfer.client.run(["verify", transfer.daemon.url("file.bin")])
      #expect(check.status == 0 && check.outputText.contains("intact"), trial.note(check))
    }
  }

  @Test func oneNameHasOneWriterInBothProtocols() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let content = trial.random.bytes(4000)
      let holder = try QtPeer(to: daemon)
      _ = try holder.offer("file.bin")
      try holder.begin(content, from: 0)
      holder.send([content[0]])
      let refused = try trial.client().transfer("put", [try trial.sample(10), daemon.url("file.bin")])
      #expect(refused.status == 75 && refused.error.contains("another client"), trial.note(refused))
      // A client that is sending is not pushed aside by another one from the same machine.
      let second = try QtPeer(to: daemon)
      second.send(.uploadHeader("file.bin"))
      var sent = 1
      while sent < content.count - 1, !second.socket.hasInput(within: 0.05) {
        holder.send([content[sent]])
        sent += 1
      }
      #expect(try second.expect(100).status == -8, trial.note())
      holder.send(Array(content[sent...]))
      #expect(try holder.expect(103).status == 0, trial.note())
      #expect(try Files.read(daemon.root / "file.bin") == content)
    }
  }

  /// The client lost its link without the daemon noticing, and comes back.
  @Test func quietUploadIsTakenOver() throws {
    try withTrial { trial in
      let daemon = try daemon(trial, ["--idle-timeout", "600"])
      let content = trial.random.bytes(3 * blockSize)
      let dead = try QtPeer(to: daemon)
      _ = try dead.offer("file.bin")
      try dead.begin(content, from: 0)
      dead.send(Array(content[..<(2 * blockSize)]))
      #expect(eventually { Files.size(of: daemon.staged().first ?? "") ?? 0 >= 2 * blockSize }, trial.note())
      let began = ContinuousClock.now
      #expect(try QtPeer(to: daemon).upload(content, "file.bin") == Int64(2 * blockSize), trial.note())
      #expect(began.duration(to: .now) < .seconds(10), trial.note())
      #expect(try dead.expect(103).status == -8, trial.note())
      #expect(try Files.read(daemon.root / "file.bin") == content)
    }
  }

  // MARK: Refusals

  @Test func wrongPathsAreRefusedAndHarmNobody() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      try Files.write([1], to: trial.folder / "outside")
      try Files.makeLink(daemon.root / "link", to: "..")
      let peer = try QtPeer(to: daemon)
      for path in [
        "", ".", "..", "../outside", "a/../../outside", "link/outside", ".splice/lock", "a//b", "a/", "a\u{0}b",
        String(repeating: "n", count: 256),
      ] {
        peer.send(.uploadHeader(path))
        #expect(try peer.expect(100).status == -2, trial.note(path))
        peer.send(.downloadHeader(path))
        #expect(try peer.expect(200).status == -2, trial.note(path))
      }
      // The original glues the path to its root.
      #expect(try peer.upload([1, 2], "/glued") == 0)
      #expect(try Files.read(daemon.root / "glued") == [1, 2])
      #expect(try Files.read(trial.folder / "outside") == [1])
    }
  }

  /// What comes at the wrong time, or is nothing at all: an answer where there is one, then the end; the daemon lives.
  @Test func nonsenseEndsTheConnection() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      try Files.write([1, 2, 3], to: daemon.root / "there")
      let nonsense: [[UInt8]] = [
        QtMessage.uploadPosition(0, 10).encoded, QtMessage.downloadContent.encoded, QtMessage.downloadTail.encoded,
        QtMessage(id: 103, entries: [:]).encoded, QtMessage(id: 102, entries: [:]).encoded,
        QtMessage(id: -1, entries: [:]).encoded,
        QtMessage.uploadHeader("x").encoded + QtMessage.downloadContent.encoded,
        QtMessage.downloadHeader("there").encoded + QtMessage.uploadPosition(0, 1).encoded,
        [UInt8](repeating: 0xFF, count: 64), Array("GET / HTTP/1.1\r\n\r\n".utf8),
        WirePeer.magic + Frame(.hello, stream: 0, WirePeer.hello()).encoded(),
        QtMessage(id: 100, entries: ["file_prjpath": .number(1)]).encoded,
        QtMessage.uploadHeader(String(repeating: "d/", count: 2048) + "x").encoded,
      ] + (0..<40).map { _ in trial.random.bytes(trial.random.number(in: 12...300)) }
      for bytes in nonsense {
        let peer = try QtPeer(to: daemon)
        peer.send(bytes)
        // Closed, or waiting for the rest of what could be the beginning of something.
        _ = peer.socket.readUntilClosed(within: 0.2)
      }
      #expect(try QtPeer(to: daemon).upload([1], "still") == 0, trial.note())
      #expect(daemon.staged("").isEmpty, trial.note())
    }
  }

  @Test func wrongPositionsAreRefused() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      try Files.write([1, 2, 3], to: daemon.root / "three")
      let peer = try QtPeer(to: daemon)
      for (position, size, status) in [
        (2, 5, -3), (4, 5, -3), (-1, 5, -3), (Int64.max, Int64.max, -3), (0, -1, -8), (0, Int64.max, -8),
        (0, 1 << 31, -8), (3, (1 << 31) - 3, -8),
      ] as [(Int64, Int64, Int64)] {
        _ = try peer.offer("three")
        peer.send(.uploadPosition(position, size))
        #expect(try peer.expect(101).status == status, trial.note("\(position) \(size)"))
      }
      #expect(try Files.read(daemon.root / "three") == [1, 2, 3])
      // No bytes behind what is offered is nothing new, and nothing instead of what is there is an empty file.
      _ = try peer.offer("three")
      peer.send(.uploadPosition(0, 0))
      #expect(try peer.expect(101).status == 0)
      #expect(try peer.expect(103).status == 0)
      #expect(try Files.read(daemon.root / "three") == [])
    }
  }

  /// The clients count in 31 bits: a clear answer, instead of sizes that went wrong on the way.
  @Test func largeFilesAreRefused() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      try Files.write([1], to: daemon.root / "large")
      try Files.truncate(daemon.root / "large", to: 1 << 31)
      let peer = try QtPeer(to: daemon)
      peer.send(.downloadHeader("large"))
      #expect(try peer.expect(200).status == -10, trial.note())
      peer.send(.uploadHeader("large"))
      #expect(try peer.expect(100).status == -8, trial.note())
      #expect(
        eventually { daemon.process.standardError.contains("'large': upload failed: file too large") }, trial.note())
      try Files.truncate(daemon.root / "large", to: (1 << 31) - 1)
      peer.send(.downloadHeader("large"))
      #expect(try peer.expect(200).number("file_size") == (1 << 31) - 1, trial.note())
    }
  }

  @Test func readOnlyDaemonServesDownloads() throws {
    try withTrial { trial in
      let root = try trial.newFolder("root")
      let content = trial.random.bytes(2 * blockSize + 3)
      try Files.write(content, to: root / "file.bin")
      let daemon = try trial.daemon(Self.qt + ["--read-only"], root: root)
      let peer = try QtPeer(to: daemon)
      peer.send(.uploadHeader("file.bin"))
      #expect(try peer.expect(100).status == -2, trial.note())
      #expect(try peer.download("file.bin")?.bytes == content)
      #expect(try peer.download("file.bin", held: content) == nil)
      peer.send(.downloadHeader("none"))
      #expect(try peer.expect(200).status == -2, trial.note())
    }
  }

  @Test func fullDiskIsAnsweredBeforeTheBytesCome() throws {
    try withTrial { trial in
      let disk = try trial.disk("4m")
      let daemon = try trial.daemon(Self.qt, root: disk.path, under: disk.prefix)
      let peer = try QtPeer(to: daemon)
      _ = try peer.offer("file.bin")
      peer.send(.uploadPosition(0, 8 << 20))
      #expect(try peer.expect(101).status == -1, trial.note())
      #expect(try peer.upload([1, 2, 3], "small") == 0, trial.note())
    }
  }

  // MARK: Administration

  private func sessions(_ daemon: Daemon, _ client: Client) throws -> [[String: Any]] {
    let run = try client.run(["sessions", "--json", "--control", daemon.root])
    return run.outputText.split(separator: "\n").compactMap {
      (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
    }
  }

  @Test func sessionIsShownAndKicked() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let client = try trial.client()
      let content = trial.random.bytes(4 * blockSize)
      let peer = try QtPeer(to: daemon)
      _ = try peer.offer("file.bin")
      try peer.begin(content, from: 0)
      peer.send(Array(content[..<(2 * blockSize)]))
      #expect(try eventually { try sessions(daemon, client).first?["done"] as? Int == 2 * blockSize }, trial.note())
      let session = try #require(try sessions(daemon, client).first)
      #expect(session["protocol"] as? String == "qt", trial.note("\(session)"))
      #expect(session["doing"] as? String == "uploading")
      #expect(session["path"] as? String == "file.bin")
      #expect(session["size"] as? Int == content.count)
      let id = try #require(session["id"] as? Int)
      let kick = try client.run(["kick", "\(id)", "--control", daemon.root])
      #expect(kick.status == 0, trial.note(kick))
      #expect(try peer.expect(103).status == -8, trial.note())
      #expect(try peer.next() == nil)
      #expect(try QtPeer(to: daemon).upload(content, "file.bin") == Int64(2 * blockSize), trial.note())
    }
  }

  @Test func silentClientIsToldSo() throws {
    try withTrial { trial in
      let daemon = try daemon(trial, ["--idle-timeout", "1"])
      let peer = try QtPeer(to: daemon)
      _ = try peer.offer("file.bin")
      try peer.begin([1, 2, 3], from: 0)
      #expect(try peer.expect(103).status == -5, trial.note())
      #expect(try peer.next() == nil)
    }
  }

  @Test func clientOverTheLimitIsToldSo() throws {
    try withTrial { trial in
      let daemon = try daemon(trial, ["--max-connections", "1"])
      let first = try QtPeer(to: daemon)
      #expect(try first.upload([1], "one") == 0)
      let second = try QtPeer(to: daemon)
      second.send(.uploadHeader("two"))
      #expect(try second.expect(100).status == -7, trial.note())
      #expect(try second.next() == nil)
      #expect(try first.upload([2], "two") == 0)
    }
  }

  @Test func drainWaitsForTheUpload() throws {
    try withTrial { trial in
      let daemon = try daemon(trial)
      let client = try trial.client()
      let idle = try QtPeer(to: daemon)
      #expect(try idle.upload([1], "one") == 0)
      let peer = try QtPeer(to: daemon)
      _ = try peer.offer("file.bin")
      try peer.begin([1, 2, 3], from: 0)
      #expect(try client.run(["drain", "--control", daemon.root]).status == 0)
      #expect(try idle.next() == nil)
      peer.send([1, 2, 3])
      #expect(try peer.expect(103).status == 0)
      #expect(try daemon.process.wait() == .exited(0), trial.note())
      #expect(try Files.read(daemon.root / "file.bin") == [1, 2, 3])
    }
  }

  /// Two hundred clients on two loops, each with its own file; one of them stops in the middle. Nobody waits for it.
  @Test func stalledClientHoldsUpNobody() throws {
    try withTrial { trial in
      let daemon = try daemon(trial, ["--workers", "2", "--memory", "4MiB"])
      let contents = (0..<200).map { _ in trial.random.bytes(150_000) }
      let port = try daemon.qtPort()
      let peers = try contents.map { _ in try QtPeer(toPort: port) }
      for (index, peer) in peers.enumerated() { peer.send(.uploadHeader("files/\(index)")) }
      for peer in peers { #expect(try peer.expect(100).status == 0, trial.note()) }
      for peer in peers { peer.send(.uploadPosition(0, 150_000)) }
      for peer in peers { #expect(try peer.expect(101).status == 0, trial.note()) }
      for (index, peer) in peers.enumerated() {
        peer.send(Array(contents[index].prefix(index == 7 ? 70_000 : 150_000)))
      }
      let began = ContinuousClock.now
      for (index, peer) in peers.enumerated() where index != 7 {
        #expect(try peer.expect(103).status == 0, trial.note("client \(index)"))
      }
      #expect(began.duration(to: .now) < .seconds(30), trial.note())
      peers[7].send(Array(contents[7].dropFirst(70_000)))
      #expect(try peers[7].expect(103).status == 0, trial.note())
      for (index, content) in contents.enumerated() {
        #expect(try Files.read(daemon.root / RawString("files/\(index)")) == content, "file \(index)")
      }
    }
  }
}
