// Readiness of real sockets on the loopback interface.

import SpliceSystem
import SpliceUV
import Testing

@Suite struct SocketWatcherTests {
  private func makeListener() throws -> Socket {
    let address = try #require(SocketAddress.parse(Array("127.0.0.1:0".utf8)))
    return try Socket.listen(on: address, backlog: 8)
  }

  /// Both ends of a connection, made on `loop`.
  private func makePair(_ loop: Loop) throws -> (Socket, Socket) {
    let listener = try makeListener()
    let near = try Socket.connect(to: #require(listener.localAddress))
    var far: Socket?
    let watcher = try SocketWatcher(loop, descriptor: listener.descriptor)
    watcher.onEvents = { events in
      #expect(events == .readable)
      far = try? listener.accept()
      watcher.close()
    }
    watcher.watch(.readable)
    loop.run()
    return (near, try #require(far))
  }

  private func receive(_ socket: Socket) throws(Errno) -> Received {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 100, alignment: 8)
    defer { buffer.deallocate() }
    return try socket.receive(into: buffer)
  }

  private func send(_ socket: Socket, _ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { raw in
      try withUnsafePointer(to: raw) { piece in
        _ = try socket.send(UnsafeBufferPointer(start: piece, count: 1), more: false)
      }
    }
  }

  @Test func maskSaysWhatIsReported() throws {
    let loop = try Loop()
    let (near, far) = try makePair(loop)
    let watcher = try SocketWatcher(loop, descriptor: near.descriptor)
    var seen: [PollEvents] = []
    watcher.onEvents = { events in
      seen.append(events)
      switch seen.count {
      case 1: watcher.watch(.readable)
      case 2: watcher.watch([.readable, .writable])
      default: watcher.close()
      }
    }
    watcher.watch(.writable)
    #expect(watcher.events == .writable)
    loop.runOnce()
    #expect(seen == [.writable])
    loop.runPending()
    #expect(seen == [.writable])
    try send(far, [1])
    loop.run()
    #expect(seen == [.writable, .readable, [.readable, .writable]])
    loop.close()
    near.close()
  }

  @Test func stoppedWatcherIsSilentAndCanBeStartedAgain() throws {
    let loop = try Loop()
    let (near, far) = try makePair(loop)
    try send(far, [1])
    let watcher = try SocketWatcher(loop, descriptor: near.descriptor)
    var count = 0
    watcher.onEvents = { _ in
      count += 1
      watcher.stop()
    }
    watcher.watch(.readable)
    loop.run()
    loop.run()
    #expect(count == 1)
    watcher.watch(.readable)
    watcher.watch(.readable)
    loop.run()
    #expect(count == 2)
    watcher.close()
    loop.run()
    loop.close()
  }

  /// Both are ready in the same round: whichever comes first closes the other, with its socket.
  @Test func watcherClosedByAnotherOfTheSameRoundIsNotCalled() throws {
    let loop = try Loop()
    let (firstNear, firstFar) = try makePair(loop)
    let (secondNear, secondFar) = try makePair(loop)
    try send(firstFar, [1])
    try send(secondFar, [1])
    let first = try SocketWatcher(loop, descriptor: firstNear.descriptor)
    let second = try SocketWatcher(loop, descriptor: secondNear.descriptor)
    var calls = 0
    let closeBoth = { (_: PollEvents) in
      calls += 1
      first.close()
      second.close()
      firstNear.close()
      secondNear.close()
    }
    first.onEvents = closeBoth
    second.onEvents = closeBoth
    first.watch(.readable)
    second.watch(.readable)
    loop.run()
    #expect(calls == 1)
    loop.close()
  }

  @Test func resetIsFoundByReading() throws {
    let loop = try Loop()
    let (near, far) = try makePair(loop)
    let watcher = try SocketWatcher(loop, descriptor: near.descriptor)
    var failure: Errno?
    watcher.onEvents = { events in
      #expect(events.contains(.readable))
      do throws(Errno) { _ = try receive(near) } catch { failure = error }
      watcher.close()
      near.close()
    }
    watcher.watch(.readable)
    try far.setLinger0()
    far.close()
    loop.run()
    #expect(failure == .connectionReset)
    loop.close()
  }

  @Test func peersShutdownIsADisconnect() throws {
    let loop = try Loop()
    let (near, far) = try makePair(loop)
    let watcher = try SocketWatcher(loop, descriptor: near.descriptor)
    var seen: PollEvents = []
    watcher.onEvents = { events in
      seen = events
      watcher.close()
    }
    watcher.watch(.disconnect)
    loop.runPending()
    #expect(seen == [])
    try far.shutdownWrite()
    loop.run()
    #expect(seen == .disconnect)
    loop.close()
  }

  @Test func closureIsReleasedByClosing() throws {
    let loop = try Loop()
    var released = 0
    let listener = try makeListener()
    do {
      let watcher = try SocketWatcher(loop, descriptor: listener.descriptor)
      let canary = Canary { released += 1 }
      watcher.onEvents = { _ in
        canary.sing()
        watcher.stop()
      }
      watcher.watch(.readable)
      watcher.close()
      watcher.close()
    }
    #expect(released == 0)
    loop.run()
    #expect(released == 1)
    loop.close()
  }

  @Test func regularFileCannotBeWatched() throws {
    let loop = try Loop()
    let file = try PosixDirectory.open(Array("/etc".utf8), confined: false)
      .openFile(Array("passwd".utf8), .read, permissions: 0)
    #expect(throws: UVError.self) { try SocketWatcher(loop, descriptor: file.descriptor) }
    loop.close()
  }
}
