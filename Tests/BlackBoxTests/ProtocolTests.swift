// SPDX-License-Identifier: Apache-2.0
// docs/protocol.md against the daemon: its worked example, and a refusal for each thing it forbids.

import Glibc
import Testing

/// Bytes that end a connection, and the error that says why.
struct ConnectionRefusal: Sendable {
  let name: String
  let code: UInt16
  let bytes: [UInt8]

  /// - Parameter greeted: what comes after the magic and HELLO; else all that the peer says.
  init(_ name: String, _ code: UInt16, greeted: Bool = true, _ bytes: [UInt8]) {
    self.name = name
    self.code = code
    let greeting = WirePeer.magic + Frame(.hello, stream: 0, WirePeer.hello()).encoded()
    self.bytes = greeted ? greeting + bytes : bytes
  }

  init(_ name: String, _ code: UInt16, _ frame: Frame) { self.init(name, code, frame.encoded()) }
}

/// What is sent on the stream of an upload after HAVE, and the error that must come back.
struct StreamRefusal: Sendable {
  let name: String
  let code: UInt16
  let act: @Sendable (WirePeer, UInt64) -> Void

  init(
    _ name: String, _ code: UInt16 = WireCode.malformed,
    _ act: @escaping @Sendable (WirePeer, UInt64) -> Void
  ) {
    self.name = name
    self.code = code
    self.act = act
  }
}

@Suite struct ProtocolTests {
  // MARK: The worked example

  /// The file of section 6 of the page, its digests written out there.
  private enum Example {
    static let bytes = (0..<2 * blockSize + 5).map { UInt8($0 % 251) }
    static let blocks = ["53738d98098cabba6e0d7ac36b8c10ff", "31fb61c527beb130389c602a75e16490"]
    static let tail = "ffe339e4ee77cbe7292a0c89ad7cf32b"
    static let chain = ["afeca85aa68ecad392c388d06a5d1615", "ee284fe5e7f5a06eea55b516c95ab845"]
    static let proof = "c2e6ac432d442967603443571a66a123"
    /// The proof of the first block and three bytes.
    static let proofOfPart = "e39dae63848402d09fcf1f4fa55821e7"

    static func send(_ block: Int, on stream: UInt64, to peer: WirePeer) {
      let start = block * blockSize
      let piece = Array(bytes[start..<min(start + blockSize, bytes.count)])
      peer.data(stream, at: UInt64(start), piece, digest: wire(digest: block < 2 ? blocks[block] : tail))
    }
  }

  /// An upload and a resumed download with the digests of the page and no code of ours to make them.
  @Test func workedExampleIsWhatTheDaemonSpeaks() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let peer = try WirePeer(to: daemon)
      let size = UInt64(Example.bytes.count)

      // The first two blocks, then away and back.
      let (first, _) = try peer.offered("example", size: size)
      peer.resume(first)
      for block in 0..<2 { Example.send(block, on: first, to: peer) }
      peer.send(Frame(.cancel, stream: first))
      let (second, have) = try peer.offered("example", size: size)
      #expect(have.body[0] == 2 && have.number(at: 9) == 2 * UInt64(blockSize), trial.note())
      #expect(Array(have.body[17..<49]) == wire(digest: Example.chain[1]), trial.note())
      peer.send(Frame(.probe, stream: second, WirePeer.probe([1, 2, 3])))
      let expected = wire(UInt16(2)) + wire(digest: Example.chain[0]) + wire(digest: Example.chain[1])
      #expect(try peer.expect(.chain).body == expected, trial.note())
      peer.resume(second, from: UInt64(blockSize), proof: wire(digest: Example.chain[0]))
      for block in 1..<3 { Example.send(block, on: second, to: peer) }
      peer.send(Frame(.commit, stream: second, wire(size) + wire(digest: Example.proof)))
      let receipt = try peer.expect(.committed)
      #expect(Array(receipt.body.prefix(40)) == wire(size) + wire(digest: Example.proof), trial.note())
      #expect(try Files.read(daemon.root / "example") == Example.bytes, trial.note())

      let held = UInt64(blockSize) + 3
      let third = peer.want("example", held: held, proof: wire(digest: Example.proofOfPart), starts: true)
      let give = try peer.expect(.give)
      #expect(give.stream == third && give.body[0] == 1 && give.number(at: 5) == size, trial.note())
      let data = try peer.expect(.data)
      #expect(data.flags == Frame.Flag.endOfBlock && data.number(at: 0) == held, trial.note())
      #expect(Array(data.body[8..<40]) == wire(digest: Example.blocks[1]), trial.note())
      #expect(Array(data.body[40...]) == Array(Example.bytes[Int(held)..<2 * blockSize]), trial.note())
      #expect(Array(try peer.expect(.data).body[40...]) == Array(Example.bytes.suffix(5)), trial.note())
      #expect(try peer.expect(.end).body == wire(size) + wire(digest: Example.proof), trial.note())
    }
  }

  /// A block with a wrong digest is asked for again, and nothing else; a COMMIT that was on its way is passed over.
  @Test func blockWithWrongDigestIsAskedForAgain() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let peer = try WirePeer(to: daemon)
      let size = UInt64(Example.bytes.count)
      let (stream, _) = try peer.offered("example", size: size)
      let commit = Frame(.commit, stream: stream, wire(size) + wire(digest: Example.proof))
      peer.resume(stream)
      Example.send(0, on: stream, to: peer)
      var damaged = Array(Example.bytes[blockSize..<2 * blockSize])
      damaged[trial.random.number(in: 0...blockSize - 1)] ^= 1
      peer.data(stream, at: UInt64(blockSize), damaged, digest: wire(digest: Example.blocks[1]))
      Example.send(2, on: stream, to: peer)
      peer.send(commit)
      let again = try peer.expect(.repeat)
      #expect(again.number(at: 0) == UInt64(blockSize) && again.stream == stream, trial.note())
      Example.send(1, on: stream, to: peer)
      peer.send(commit)
      _ = try peer.expect(.committed)
      #expect(try Files.read(daemon.root / "example") == Example.bytes, trial.note())
    }
  }

  /// Who has the receipt has left the name: the next writer of it, and a REMOVE, are not told to wait.
  @Test func nameIsFreeWithTheReceipt() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let (writer, other) = (try WirePeer(to: daemon), try WirePeer(to: daemon))
      let size = UInt64(Example.bytes.count)
      for round in 0..<40 {
        let name = "example \(round)" as RawString
        let (stream, _) = try writer.offered(name, size: size)
        writer.resume(stream)
        for block in 0..<3 { Example.send(block, on: stream, to: writer) }
        writer.send(Frame(.commit, stream: stream, wire(size) + wire(digest: Example.proof)))
        _ = try writer.expect(.committed)
        let next = other.newStream()
        if round.isMultiple(of: 2) {
          other.send(Frame(.offer, stream: next, WirePeer.offer(name, size: size + 1, upload: 0x76)))
          #expect(try other.answer().kind == .have, trial.note(name.description))
        } else {
          other.send(Frame(.remove, stream: next, wire(name)))
          #expect(try other.answer().kind == .remove, trial.note(name.description))
        }
      }
    }
  }

  /// Neither RESUME nor COMMIT with a wrong proof changes anything: what was received is still there.
  @Test func wrongProofChangesNothing() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      try Files.write([1, 2, 3], to: daemon.root / "example")
      let peer = try WirePeer(to: daemon)
      let size = UInt64(Example.bytes.count)
      let (first, _) = try peer.offered("example", size: size)
      peer.resume(first)
      for block in 0..<3 { Example.send(block, on: first, to: peer) }
      peer.send(Frame(.commit, stream: first, wire(size) + wire(digest: Example.chain[1])))
      #expect(try peer.answer().errorCode == WireCode.digestMismatch, trial.note())
      let (second, _) = try peer.offered("example", size: size)
      peer.resume(second, from: UInt64(blockSize), proof: wire(digest: Example.chain[1]))
      #expect(try peer.answer().errorCode == WireCode.digestMismatch, trial.note())
      let (_, have) = try peer.offered("example", size: size)
      #expect(have.body[0] == 2 && have.number(at: 9) == size, trial.note())
      #expect(Array(have.body[17..<49]) == wire(digest: Example.proof), trial.note())
      #expect(try Files.read(daemon.root / "example") == [1, 2, 3], trial.note())
    }
  }

  /// When the daemon's own disk gives other bytes than it recorded, a client that asks again is told so and
  /// need not ask for ever.
  @Test func damageOnTheServersDiskIsToldToWhoAsksAgain() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let path = daemon.root / "file"
      // Much more than lies in sockets and queues: the daemon must not be through when it is asked again.
      let blocks = 48
      try Files.writeRandom(blocks * blockSize, to: path, using: &trial.random)
      let peer = try WirePeer(to: daemon)
      let stream = peer.want("file", starts: false)
      _ = try peer.expect(.give)
      // All digests are made before the damage; the times hide it.
      peer.send(Frame(.probe, stream: stream, WirePeer.probe([3, UInt64(blocks)])))
      _ = try peer.expect(.chain)
      let status = try Files.status(of: path)
      try Files.flip(path, at: 3 * blockSize + 7)
      let times = [status.st_atim, status.st_mtim]
      try checked(path.withCString { utimensat(AT_FDCWD, $0, times, 0) }, "utimensat", on: path)

      peer.resume(stream)
      var offset: UInt64 = 0
      while offset < 4 * UInt64(blockSize) {
        let data = try peer.expect(.data)
        let fields = data.flags & Frame.Flag.endOfBlock != 0 ? 40 : 8
        offset = data.number(at: 0) + UInt64(data.body.count - fields)
      }
      peer.send(Frame(.repeat, stream: stream, wire(3 * UInt64(blockSize))))
      var last = try peer.answer()
      while last.kind == .data { last = try peer.answer() }
      #expect(last.errorCode == WireCode.digestMismatch && last.stream == stream, trial.note("\(last)"))
    }
  }

  // MARK: Refusals

  static let connectionRefusals: [ConnectionRefusal] = {
    let never: [(String, Frame)] = [
      ("PROBE", Frame(.probe, stream: 9, WirePeer.probe([1]))),
      ("RESUME", Frame(.resume, stream: 9, [UInt8](repeating: 0, count: 40))),
      ("DATA", Frame(.data, stream: 9, [UInt8](repeating: 0, count: 9))),
      ("COMMIT", Frame(.commit, stream: 9, [UInt8](repeating: 0, count: 40))),
      ("CANCEL", Frame(.cancel, stream: 9)),
    ]
    let probes: [(String, [UInt64])] = [
      ("no", []), ("65", Array(1...65)), ("falling", [2, 1]), ("equal", [2, 2]), ("zero", [0]),
    ]
    let serversOnly: [Frame.Kind] = [.have, .chain, .ack, .committed, .give, .end, .error]
    let offers: [(String, [UInt8])] = [
      ("policy 0", WirePeer.offer("a", size: 1, policy: 0)),
      ("policy 5", WirePeer.offer("a", size: 1, policy: 5)),
      ("mode 010000", WirePeer.offer("a", size: 1, mode: 0o10000)),
      ("10^9 nanoseconds", WirePeer.offer("a", size: 1, nanoseconds: 1_000_000_000)),
    ]
    let hello = { (body: [UInt8]) in WirePeer.magic + Frame(.hello, stream: 0, body).encoded() }
    let list = { (body: [UInt8]) in Frame(.list, stream: 1, body) }
    let root = wire("" as RawString)
    return [
      ConnectionRefusal("other magic", WireCode.malformed, greeted: false, Array("SPLX".utf8)),
      ConnectionRefusal("http", WireCode.malformed, greeted: false, Array("GET / HTTP/1.1\r\n\r\n".utf8)),
      ConnectionRefusal(
        "PING first", WireCode.unknownMessage, greeted: false,
        WirePeer.magic + Frame(.ping, stream: 0).encoded()),
      ConnectionRefusal(
        "DATA first", WireCode.unknownMessage, greeted: false, WirePeer.magic + never[2].1.encoded()),
      ConnectionRefusal(
        "no algorithm", WireCode.version, greeted: false, hello(WirePeer.hello(algorithms: "\u{2}"))),
      ConnectionRefusal("version 0", WireCode.malformed, greeted: false, hello(WirePeer.hello(version: 0))),
      ConnectionRefusal("no streams", WireCode.malformed, greeted: false, hello(WirePeer.hello(streams: 0))),
      ConnectionRefusal("second HELLO", WireCode.unknownMessage, Frame(.hello, stream: 0, WirePeer.hello())),
      ConnectionRefusal("type 0", WireCode.unknownMessage, Frame(type: 0, stream: 0, [])),
      ConnectionRefusal("type 255", WireCode.unknownMessage, Frame(type: 255, stream: 0, [])),
      ConnectionRefusal("the control socket's KICK", WireCode.unknownMessage, Frame(type: 33, stream: 0, [])),
      ConnectionRefusal("unknown flag", WireCode.malformed, Frame(.ping, stream: 0, flags: 128)),
      ConnectionRefusal("reply", WireCode.malformed, Frame(.stat, stream: 1, flags: Frame.Flag.reply, root)),
      ConnectionRefusal("more", WireCode.malformed, Frame(.list, stream: 1, flags: Frame.Flag.more, root)),
      ConnectionRefusal("reserved bits", WireCode.malformed, Frame(.ping, stream: 0).encoded(reserved: 1)),
      // The body never comes: the header alone is enough to refuse it.
      ConnectionRefusal("16,385 bytes of LIST", WireCode.malformed, list([]).encoded(length: 16_385)),
      ConnectionRefusal("long DATA", WireCode.malformed, Frame(.data, stream: 1).encoded(length: 1_048_585)),
      ConnectionRefusal("DATA of 4 GiB", WireCode.malformed, Frame(.data, stream: 1).encoded(length: .max)),
      ConnectionRefusal("empty DATA", WireCode.malformed, Frame(.data, stream: 1, wire(UInt64(0)))),
      ConnectionRefusal("body too short", WireCode.malformed, list([0])),
      ConnectionRefusal("body too long", WireCode.malformed, list(root + [0])),
      ConnectionRefusal("string beyond the body", WireCode.malformed, list(wire(UInt16.max) + [0x61])),
      ConnectionRefusal("PING with a body", WireCode.malformed, Frame(.ping, stream: 0, [0])),
      ConnectionRefusal("stream 0", WireCode.malformed, Frame(.stat, stream: 0, root)),
      ConnectionRefusal(
        "stream used twice", WireCode.malformed,
        Frame(.remove, stream: 4, root).encoded() + Frame(.remove, stream: 4, root).encoded()),
      ConnectionRefusal(
        "DATA for no upload", WireCode.malformed,
        Frame(.want, stream: 9, [UInt8](repeating: 0, count: 40) + wire("file" as RawString)).encoded()
          + never[2].1.encoded()),
    ]
      + never.map { ConnectionRefusal("\($0.0) out of nowhere", WireCode.malformed, $0.1) }
      + probes.map { name, counts in
        ConnectionRefusal(
          "PROBE \(name)", WireCode.malformed, Frame(.probe, stream: 1, WirePeer.probe(counts)))
      } + serversOnly.map { ConnectionRefusal("\($0)", WireCode.unknownMessage, Frame($0, stream: 1)) }
      + offers.map { ConnectionRefusal($0.0, WireCode.malformed, Frame(.offer, stream: 1, $0.1)) }
  }()

  /// Each is answered with an ERROR for the connection and its end, and does nothing else.
  @Test func whatIsNoProtocolEndsTheConnectionWithAReason() throws {
    try withTrial { trial in
      let outside = try trial.newFolder("outside")
      try Files.makeFolder(outside / "root")
      let daemon = try trial.daemon(root: outside / "root")
      try Files.write([1, 2, 3], to: daemon.root / "file")
      for refusal in Self.connectionRefusals {
        let peer = try WirePeer(to: daemon, greets: false)
        peer.send(refusal.bytes)
        var last: Frame?
        while let frame = try peer.next() { last = frame }
        #expect(
          last?.errorCode == refusal.code && last?.stream == 0,
          trial.note("\(refusal.name): \(last?.description ?? "nothing")"))
      }
      #expect(Files.tree(outside) == ["root/", "root/file"], trial.note())
      #expect(daemon.staged("").isEmpty, trial.note())
      #expect(try WirePeer(to: daemon).isServed(), trial.note())
    }
  }

  /// Bytes that come while PROBE is being answered, for a stage that is not prepared for them, go with their stream.
  @Test func cancelBeforeTheAnswerLeavesNothing() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let peer = try WirePeer(to: daemon)
      for round in 0..<20 {
        let (stream, _) = try peer.offered("file \(round)", size: Self.size)
        peer.send(
          Frame(.probe, stream: stream, WirePeer.probe([1])).encoded()
            + Frame(.resume, stream: stream, wire(UInt64(0)) + WirePeer.emptyProof).encoded()
            + Frame(.data, stream: stream, wire(UInt64(0)) + [UInt8](repeating: 1, count: 1000)).encoded()
            + Frame(.cancel, stream: stream).encoded())
      }
      #expect(try peer.isServed(), trial.note())
      #expect(daemon.staged("").isEmpty, trial.note())
    }
  }

  static let streamRefusals: [StreamRefusal] = [
    StreamRefusal("RESUME beyond what is held") { $0.resume($1, from: 1) },
    StreamRefusal("RESUME twice") { peer, stream in for _ in 0..<2 { peer.resume(stream) } },
    StreamRefusal("PROBE after RESUME") { peer, stream in
      peer.resume(stream)
      peer.send(Frame(.probe, stream: stream, WirePeer.probe([1])))
    },
    StreamRefusal("DATA before RESUME") { $0.data($1, at: 0, [0]) },
    StreamRefusal("COMMIT before RESUME") { peer, stream in
      peer.send(Frame(.commit, stream: stream, wire(size) + WirePeer.emptyProof))
    },
    StreamRefusal("COMMIT before the data") { peer, stream in
      peer.resume(stream)
      peer.send(Frame(.commit, stream: stream, wire(size) + WirePeer.emptyProof))
    },
    StreamRefusal("RESUME with a wrong proof", WireCode.digestMismatch) {
      $0.resume($1, proof: WirePeer.zeroDigest)
    },
    StreamRefusal("a gap") { peer, stream in
      peer.resume(stream)
      peer.data(stream, at: 1, [0])
    },
    StreamRefusal("the same bytes again") { peer, stream in
      peer.resume(stream)
      for _ in 0..<2 { peer.data(stream, at: 0, [0]) }
    },
    StreamRefusal("an offset of 2^64 - 1") { peer, stream in
      peer.resume(stream)
      peer.data(stream, at: .max, [0, 0])
    },
    StreamRefusal("DATA over the end of a block") { peer, stream in
      peer.resume(stream)
      peer.data(stream, at: 0, [0])
      peer.data(stream, at: 1, [UInt8](repeating: 0, count: blockSize), digest: WirePeer.zeroDigest)
    },
    StreamRefusal("a digest inside a block") { peer, stream in
      peer.resume(stream)
      peer.data(stream, at: 0, [0], digest: WirePeer.zeroDigest)
    },
    StreamRefusal("no digest at the end of a block") { peer, stream in
      peer.resume(stream)
      peer.data(stream, at: 0, [UInt8](repeating: 0, count: blockSize))
    },
  ]
  private static let size = 3 * UInt64(blockSize)

  /// Each ends its stream with an ERROR. What comes late for the stream is passed over, and the connection
  /// goes on.
  @Test func whatBreaksTheOrderEndsTheStreamOnly() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let peer = try WirePeer(to: daemon)
      for (index, refusal) in Self.streamRefusals.enumerated() {
        let (stream, _) = try peer.offered("file-\(index)", size: Self.size)
        refusal.act(peer, stream)
        let answer = try peer.answer()
        #expect(
          answer.errorCode == refusal.code && answer.stream == stream,
          trial.note("\(refusal.name): \(answer)"))
        peer.data(stream, at: 0, [0])
        peer.send(Frame(.commit, stream: stream, wire(Self.size) + WirePeer.emptyProof))
        peer.send(Frame(.cancel, stream: stream))
        #expect(try peer.isServed(), trial.note(refusal.name))
      }
      #expect(Files.tree(daemon.root).isEmpty, trial.note())
    }
  }

  static let hostilePaths: [RawString] = [
    "..", "../secret", "a/../../secret", "/secret", "//secret", ".", "a/.", "a//b", "a/", "/", ".splice",
    ".splice/lock", ".splice/stage/x", RawString(bytes: Array("a\0b".utf8)),
    RawString(bytes: [UInt8](repeating: 0x61, count: 256)),
    // 4,096 bytes.
    RawString(String(repeating: "abc/", count: 1023) + "abcd"),
    // Links in the root that lead out of it.
    "out/secret", "out/new", "direct",
  ]

  /// Every request refuses every path that is none, or leads out of the root, and touches nothing.
  @Test func hostilePathsLeadNowhere() throws {
    try withTrial { trial in
      let outside = try trial.newFolder("outside")
      try Files.write([1, 2, 3], to: outside / "secret")
      try Files.makeFolder(outside / "root")
      let daemon = try trial.daemon(root: outside / "root")
      for (link, target) in [("out", ".."), ("direct", "../secret")] as [(RawString, RawString)] {
        _ = (daemon.root / link).withCString { link in target.withCString { symlink($0, link) } }
      }
      let before = Files.tree(outside)
      let peer = try WirePeer(to: daemon)
      let prefixes: [(Frame.Kind, (RawString) -> [UInt8])] = [
        (.offer, { WirePeer.offer($0, size: 3) }), (.offer, { WirePeer.offer($0, size: 0, policy: 4) }),
        (.want, { [UInt8](repeating: 0, count: 40) + wire($0) }), (.list, { wire($0) }),
        (.stat, { wire($0) }), (.verify, { wire($0) }), (.remove, { wire($0) }),
      ]
      for path in Self.hostilePaths {
        for (kind, body) in prefixes where kind != .remove || path != "direct" {
          let stream = peer.newStream()
          peer.send(Frame(kind, stream: stream, body(path)))
          let answer = try peer.answer()
          #expect(
            answer.errorCode == WireCode.badPath && answer.stream == stream,
            trial.note("\(kind) \(path): \(answer)"))
        }
      }
      #expect(Files.tree(outside) == before, trial.note())
      #expect(try Files.read(outside / "secret") == [1, 2, 3], trial.note())
      #expect(daemon.staged("").isEmpty, trial.note())
    }
  }

  /// A second writer hears LOCKED; the first writer's own newer try takes over; an older one does not.
  @Test func higherFenceTakesOver() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let (holder, stranger) = (try WirePeer(to: daemon), try WirePeer(to: daemon))
      let offer = { (upload: UInt8, fence: UInt64) in
        WirePeer.offer("file", size: Self.size, upload: upload, fence: fence)
      }
      holder.send(Frame(.offer, stream: 1, offer(1, 7)))
      _ = try holder.expect(.have)
      stranger.send(Frame(.offer, stream: 1, offer(2, 9)))
      #expect(try stranger.answer().errorCode == WireCode.locked, trial.note())
      stranger.send(Frame(.remove, stream: 2, wire("file" as RawString)))
      #expect(try stranger.answer().errorCode == WireCode.locked, trial.note())
      stranger.send(Frame(.offer, stream: 3, offer(1, 7)))
      #expect(try stranger.answer().errorCode == WireCode.superseded, trial.note())
      stranger.send(Frame(.offer, stream: 4, offer(1, 8)))
      _ = try stranger.expect(.have)
      #expect(try holder.answer().errorCode == WireCode.superseded, trial.note())
    }
  }
}
