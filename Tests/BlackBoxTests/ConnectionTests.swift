// SPDX-License-Identifier: Apache-2.0
// Connections: too many, too quiet, too strange, on either address family.

import Testing

@Suite struct ConnectionTests {
  /// The connection that is one too many hears an error and is closed; a free place serves again.
  @Test func oneTooManyIsToldBusy() throws {
    try withTrial { trial in
      let daemon = try trial.daemon(["--max-connections", "2"])
      let source = try trial.sample(1000)
      let client = try trial.client()
      do {
        let holders = try [RawPeer(to: daemon.port), RawPeer(to: daemon.port)]
        let heard = try RawPeer(to: daemon.port).readUntilClosed(within: 20)
        // A frame has a header of 16 bytes.
        #expect((heard?.count ?? 0) >= 16, trial.note("heard \(heard?.description ?? "no end")"))
        let refused = try client.transfer("put", [source, daemon.url("file.bin")])
        #expect(refused.status == 75, trial.note(refused))
        #expect(refused.errorLines.count == 1 && refused.error.lowercased().contains("busy"), trial.note(refused))
        withExtendedLifetime(holders) {}
      }
      let served = try client.transfer("put", retryFor: 30, [source, daemon.url("file.bin")])
      #expect(served.status == 0, trial.note(served))
    }
  }

  /// A peer that says nothing, and one that trickles the beginning of a header, are closed.
  @Test(arguments: [0, 3])
  func quietPeerIsClosed(byteCount: Int) throws {
    try withTrial("\(#function) \(byteCount)") { trial in
      let daemon = try trial.daemon(["--idle-timeout", "1"])
      let peer = try RawPeer(to: daemon.port)
      peer.send(Array("SPLC".utf8.prefix(byteCount)))
      #expect(peer.readUntilClosed(within: 20) != nil, trial.note("still open"))
      try expectServes(daemon, trial)
    }
  }

  static let garbage = ["random", "zeros", "ones", "half a header", "huge length", "http"]

  /// Bytes that are no protocol close the connection, and the daemon serves the next client.
  @Test(arguments: garbage)
  func garbageIsRefused(_ kind: String) throws {
    try withTrial("\(#function) \(kind)") { trial in
      let daemon = try trial.daemon(["--idle-timeout", "1"])
      let peer = try RawPeer(to: daemon.port)
      switch kind {
      case "random": peer.send(trial.random.bytes(200_000))
      case "zeros": peer.send([UInt8](repeating: 0, count: 200_000))
      case "ones": peer.send([UInt8](repeating: 0xff, count: 200_000))
      case "half a header": peer.send(trial.random.bytes(8))
      case "huge length": peer.send(Array("SPLC".utf8) + trial.random.bytes(4) + [UInt8](repeating: 0xff, count: 8))
      default: peer.send(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
      }
      #expect(peer.readUntilClosed(within: 20) != nil, trial.note("still open"))
      try expectServes(daemon, trial)
    }
  }

  /// Many strange peers come and go while a client is served.
  @Test func crowdOfStrangersDoesNoHarm() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 8 * blockSize)
      transfer.proxy.strike(.hold, after: 3 * blockSize, .toServer)
      let client = try transfer.start()
      #expect(transfer.proxy.isHeld(before: client), trial.note())
      for _ in 0..<100 {
        let peer = try RawPeer(to: transfer.daemon.port)
        peer.send(trial.random.bytes(trial.random.number(in: 0...500)))
      }
      transfer.proxy.release()
      let run = try ClientRun(client)
      #expect(run.status == 0, trial.note(run))
      try transfer.expectArrived(run)
    }
  }

  /// The daemon listens on the IPv6 loopback address, and the client reads the URL with brackets.
  @Test(.enabled(if: Sockets.hasIPv6Loopback, "this machine has no IPv6 loopback address"))
  func daemonListensOnIPv6() throws {
    try withTrial { trial in
      let daemon = try trial.daemon(listen: "[::1]:0")
      let source = try trial.sample(blockSize + 1)
      let run = try trial.client().transfer("put", [source, "splice://[::1]:\(daemon.port)/file.bin"])
      #expect(run.status == 0, trial.note(run))
      #expect(try Files.difference(source, daemon.root / "file.bin") == nil, trial.note(run))
    }
  }

  /// Eight clients at once on two workers, up and down: every file is right.
  @Test func parallelClientsOnTwoWorkers() throws {
    try withTrial { trial in
      let daemon = try trial.daemon(["--workers", "2"])
      let sources = try (0..<8).map { try trial.sample(4 * blockSize + $0) }
      let clients = try sources.map { _ in try trial.client() }
      let puts = try zip(clients, sources).enumerated().map { index, pair in
        try pair.0.startTransfer("put", [pair.1, daemon.url("file-\(index)")])
      }
      for put in try puts.map({ try ClientRun($0) }) { #expect(put.status == 0, trial.note(put)) }
      let gets = try clients.enumerated().map { index, client in
        try client.startTransfer("get", [daemon.url("file-\((index + 1) % 8)"), client.folder / "copy"])
      }
      for get in try gets.map({ try ClientRun($0) }) { #expect(get.status == 0, trial.note(get)) }
      for (index, client) in clients.enumerated() {
        #expect(try Files.difference(sources[(index + 1) % 8], client.folder / "copy") == nil, trial.note())
      }
    }
  }

  private func expectServes(_ daemon: Daemon, _ trial: Trial) throws {
    let run = try trial.client().transfer("put", [trial.sample(1000), daemon.url("proof")])
    #expect(run.status == 0, trial.note(run))
  }
}
