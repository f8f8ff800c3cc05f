// What a job takes from a link's socket, what it leaves for the loop, and what happens to the link meanwhile.

import SpliceBase
import SpliceSystem
import SpliceUV
import SpliceWire
import Testing

@testable import SpliceEngine

/// Gives what it is told to, in the pieces it is told to.
private final class ScriptedTransport: Transport {
  enum Step {
    case bytes([UInt8])
    case end
    case failure(Errno)
  }

  /// The next one is the last.
  private var steps: [Step]
  private(set) var receiveCount = 0
  var onReceive: () -> Void = {}
  init(_ steps: [Step]) { self.steps = steps.reversed() }

  var descriptor: Int32 { -1 }

  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Received {
    receiveCount += 1
    onReceive()
    switch steps.popLast() {
    case nil: return .wouldBlock
    case .end: return .end
    case .failure(let errno): throw errno
    case .bytes(let bytes):
      let count = min(bytes.count, buffer.count)
      buffer.copyBytes(from: bytes[..<count])
      if count < bytes.count { steps.append(.bytes(Array(bytes[count...]))) }
      return .bytes(count)
    }
  }

  func send(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, more: Bool) throws(Errno) -> Int? { nil }
  func sendFile(_ file: Int32, at offset: UInt64, count: Int) throws(Errno) -> Int? { nil }
  func shutdownWrite() throws(Errno) {}
  func close() {}
}

/// Takes the DATA of stream 7.
private final class Taker: IntakeTaker {
  var bytes: [UInt8] = []
  var pieceCounts: [Int] = []
  var ends = 0
  /// No more is wanted once so many bytes are there.
  var limit = Int.max
  var isAtPages = true

  func takeData(_ prefix: DataPrefix) -> Bool { prefix.stream == 7 }

  func take(_ piece: UnsafeRawBufferPointer, isLast: Bool) -> Bool {
    bytes.append(contentsOf: piece)
    pieceCounts.append(piece.count)
    if UInt(bitPattern: piece.baseAddress) % 4096 != 0 { isAtPages = false }
    if isLast { ends += 1 }
    return bytes.count < limit
  }
}

private func frame(
  stream: UInt64 = 7, offset: UInt64 = 0, _ bytes: [UInt8], blockDigest: Digest? = nil
) -> [UInt8] {
  var output: [UInt8] = []
  DataPrefix(stream: stream, offset: offset, count: bytes.count, blockDigest: blockDigest).append(to: &output)
  return output + bytes
}

private func pattern(_ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}

private var ping: [UInt8] {
  var output: [UInt8] = []
  FrameHeader(.ping, length: 0, stream: 0).append(to: &output)
  return output
}

@Suite struct IntakeTests {
  private let pool = BufferPool(bytes: 2 * Limits.bufferSize)
  private let taker = Taker()

  /// A receive side whose peer said its magic, lent, and drained once.
  private func drain(_ transport: ScriptedTransport, before: (Intake) -> Void = { _ in }) throws -> Intake {
    let intake = Intake(transport)
    var position = 0
    let event = try FrameDecoder.magic.withUnsafeBytes { try intake.decoder.next($0, &position) }
    #expect(event == .needMore)
    try lend(intake)
    before(intake)
    intake.drain(into: taker)
    return intake
  }

  private func lend(_ intake: Intake) throws { intake.beginLoan(try #require(pool.takeForBulk())) }

  @Test func bytesOfManyFramesReachTheTakerHoweverTheyArrive() throws {
    let content = pattern(150_000)
    let stream = frame(Array(content[..<10_000])) + frame(offset: 10_000, Array(content[10_000...]))
    for size in [1, 15, 4096, 65_537, 200_000] {
      taker.bytes = []
      taker.ends = 0
      let pieces = stride(from: 0, to: stream.count, by: size).map {
        ScriptedTransport.Step.bytes(Array(stream[$0..<min($0 + size, stream.count)]))
      }
      let intake = try drain(ScriptedTransport(pieces))
      #expect(taker.bytes == content)
      #expect(taker.ends == 2)
      #expect(intake.pause == .empty)
      #expect(intake.received == stream.count)
      pool.unpin(intake.endLoan())
    }
  }

  @Test func whatIsNotForTheTakerIsLeftWithEverythingBehindIt() throws {
    for stranger in [ping, frame(stream: 9, [1, 2, 3])] {
      taker.bytes = []
      let sent = frame(pattern(1000)) + stranger + frame(pattern(50))
      let intake = try drain(ScriptedTransport([.bytes(sent)]))
      #expect(taker.bytes == pattern(1000))
      guard case .event(let event) = intake.pause else {
        Issue.record("the stranger was not found")
        return
      }
      if stranger == ping {
        #expect(event == .message(FrameHeader(.ping, length: 0, stream: 0), body: []))
      } else {
        #expect(event == .dataBegins(DataPrefix(stream: 9, offset: 0, count: 3, blockDigest: nil)))
      }
      let buffer = intake.endLoan()
      let left = Array(buffer.bytes[intake.position..<buffer.filled])
      #expect(left == (stranger == ping ? [] : [1, 2, 3]) + frame(pattern(50)))
      pool.unpin(buffer)
    }
  }

  @Test func aTakerThatWantsNoMoreGetsNoMore() throws {
    taker.limit = 1000
    let transport = ScriptedTransport([.bytes(frame(pattern(1000)) + frame(pattern(10))), .bytes([0])])
    let intake = try drain(transport)
    #expect(taker.bytes == pattern(1000))
    #expect(intake.pause == .more)
    #expect(transport.receiveCount == 1)
    let buffer = intake.endLoan()
    #expect(Array(buffer.bytes[intake.position..<buffer.filled]) == frame(pattern(10)))
    pool.unpin(buffer)
  }

  @Test func oneJobTakesNoMoreThanItsBudget() throws {
    let content = [UInt8](repeating: 5, count: Limits.dataPayloadMax)
    let transport = ScriptedTransport((0..<8).map { _ in .bytes(frame(content)) })
    let intake = try drain(transport)
    #expect(intake.pause == .more)
    #expect(intake.received >= Limits.drainBudget)
    #expect(intake.received <= Limits.drainBudget + Limits.portionSize + 100)
    pool.unpin(intake.endLoan())
    // The next loan goes on where this one ended.
    try lend(intake)
    intake.drain(into: taker)
    pool.unpin(intake.endLoan())
    #expect(taker.bytes.count == 8 * content.count)
    #expect(taker.ends == 8)
  }

  @Test func aJobThatIsToldToStopReceivesNoMore() throws {
    let transport = ScriptedTransport((0..<100).map { _ in .bytes(frame(pattern(100))) })
    let intake = try drain(transport) { intake in
      transport.onReceive = { if transport.receiveCount == 3 { intake.stop() } }
    }
    #expect(transport.receiveCount == 3)
    #expect(taker.bytes.count == 300)
    #expect(intake.pause == .more)
    pool.unpin(intake.endLoan())
    try lend(intake)
    transport.onReceive = {}
    intake.drain(into: taker)
    #expect(taker.bytes.count == 10_000, "the next loan is not stopped by what was said to this one")
    pool.unpin(intake.endLoan())
  }

  @Test func endsErrorsAndNonsenseAreTold() throws {
    let data = ScriptedTransport.Step.bytes(frame(pattern(100)))
    for (step, pause) in [
      (ScriptedTransport.Step.end, Intake.Pause.ended),
      (.failure(.connectionReset), .failed(.connectionReset)),
      (.bytes([UInt8](repeating: 255, count: 16)), .malformed(.unknownType(255))),
    ] {
      taker.bytes = []
      let intake = try drain(ScriptedTransport([data, step]))
      #expect(taker.bytes == pattern(100))
      #expect(intake.pause == pause)
      pool.unpin(intake.endLoan())
    }
  }

  @Test func fullReceivesEndAtWholePagesOfTheFile() throws {
    let block = pattern(Limits.dataPayloadMax)
    let whole = frame(block, blockDigest: .zero)
    let transport = ScriptedTransport([.bytes(whole + whole + whole)])
    let intake = try drain(transport)
    pool.unpin(intake.endLoan())
    #expect(taker.bytes.count == 3 * block.count)
    var offset = 0
    var misplaced = 0
    for count in taker.pieceCounts {
      offset += count
      if offset % 4096 != 0 { misplaced += 1 }
    }
    #expect(misplaced == 0)
  }
}

/// With a buffer that a whole block fits in.
@Suite struct WideIntakeTests {
  private let pool = BufferPool(bytes: 16 << 20)
  private let taker = Taker()
  private let block = pattern(Limits.dataPayloadMax)

  /// In the middle of a connection, behind the head of a frame.
  private func drain(_ steps: [ScriptedTransport.Step]) throws -> Intake {
    let intake = Intake(ScriptedTransport(steps))
    var position = 0
    let head = FrameDecoder.magic + frame(block, blockDigest: .zero).dropLast(block.count)
    let event = try head.withUnsafeBytes { try intake.decoder.next($0, &position) }
    guard case .dataBegins = event else { throw TestFailure() }
    intake.beginLoan(try #require(pool.takeForBulk()))
    intake.drain(into: taker)
    return intake
  }

  private struct TestFailure: Error {}

  @Test func aBlockIsHandedOnAsOneHoweverItArrives() throws {
    let stream = block + frame(block, blockDigest: .zero) + frame(block, blockDigest: .zero)
    for size in [70_000, 1 << 20, 3 << 20] {
      taker.pieceCounts = []
      taker.bytes = []
      let steps = stride(from: 0, to: stream.count, by: size).map {
        ScriptedTransport.Step.bytes(Array(stream[$0..<min($0 + size, stream.count)]))
      }
      let intake = try drain(steps)
      #expect(taker.pieceCounts == [block.count, block.count, block.count])
      #expect(taker.bytes == block + block + block)
      #expect(intake.pause == .empty)
      #expect(intake.received == stream.count)
      pool.unpin(intake.endLoan())
    }
    #expect(taker.isAtPages)
  }

  @Test func partOfABlockIsNotHeldBack() throws {
    for (step, pause) in [
      ([], Intake.Pause.empty), ([ScriptedTransport.Step.end], .ended),
      ([.failure(.connectionReset)], .failed(.connectionReset)),
    ] {
      taker.bytes = []
      taker.ends = 0
      let intake = try drain([.bytes(Array(block[..<400_000])), .bytes(Array(block[400_000..<500_000]))] + step)
      #expect(taker.bytes == Array(block[..<500_000]))
      #expect(taker.ends == 0)
      #expect(intake.pause == pause)
      let buffer = intake.endLoan()
      #expect(intake.position == buffer.filled)
      pool.unpin(buffer)
    }
  }

  @Test func theRestOfABlockComesInPortions() throws {
    let intake = try drain([.bytes(Array(block[..<400_000]))])
    pool.unpin(intake.endLoan())
    let rest = ScriptedTransport([.bytes(Array(block[400_000...]) + frame(block, blockDigest: .zero))])
    taker.pieceCounts = []
    let next = Intake(rest)
    next.decoder = intake.decoder
    next.beginLoan(try #require(pool.takeForBulk()))
    next.drain(into: taker)
    #expect(taker.pieceCounts.dropLast().allSatisfy { $0 <= Limits.portionSize })
    #expect(taker.pieceCounts.last == block.count)
    #expect(taker.bytes == block + block)
    pool.unpin(next.endLoan())
  }

  @Test func whatIsNotForTheTakerIsLeft() throws {
    let sent = block + ping + frame(pattern(50))
    let intake = try drain([.bytes(sent)])
    #expect(taker.bytes == block)
    #expect(intake.pause == .event(.message(FrameHeader(.ping, length: 0, stream: 0), body: [])))
    pool.unpin(intake.endLoan())
  }
}

/// Both ends of a connection; `near` belongs to a link.
@Suite struct LinkLoanTests {
  private final class Owner: LinkOwner {
    var messages: [FrameType] = []
    var data: [UInt8] = []
    var ended: LinkEnd?
    var pool: BufferPool?

    func linkDidReceive(_ header: FrameHeader, body: [UInt8]) { messages.append(header.type) }
    func linkDidBeginData(_ prefix: DataPrefix) {}
    func linkDidReceiveData(_ slice: Slice, isLast: Bool) {
      data.append(contentsOf: slice.bytes)
      pool?.unpin(slice.buffer)
    }
    func linkWantsOutput() -> Bool { false }
    func linkDidFind(_ error: WireError) {}
    func linkDidEnd(_ end: LinkEnd) { ended = end }
  }

  private let loop: Loop
  private let pool = BufferPool(bytes: 2 * Limits.bufferSize)
  private let owner = Owner()
  private let link: Link
  private let near: Socket
  private let far: Socket

  init() throws {
    loop = try Loop()
    let listener = try Socket.listen(
      on: try #require(SocketAddress.parse(Array("127.0.0.1:0".utf8))), backlog: 1)
    far = try Socket.connect(to: try #require(listener.localAddress))
    var accepted: Socket?
    while accepted == nil { accepted = try listener.accept() }
    near = try #require(accepted)
    owner.pool = pool
    link = try Link(loop, near, pool: pool, owner: owner)
  }

  private func send(_ bytes: [UInt8]) throws {
    let sent = try bytes.withUnsafeBytes { raw in
      try withUnsafePointer(to: raw) { piece in
        try far.send(UnsafeBufferPointer(start: piece, count: 1), more: false)
      }
    }
    #expect(sent == bytes.count)
  }

  /// Drains what is there, and again until `count` bytes came.
  private func drain(_ intake: Intake, _ taker: Taker, until count: Int) {
    while intake.received < count { intake.drain(into: taker) }
  }

  private func finish() {
    far.close()
    link.close()
    loop.run()
    #expect(near.descriptor == -1)
    #expect(pool.usedCount == 0)
    loop.close()
  }

  @Test func whileItIsLentTheLinkReadsNothingAndThenGoesOn() throws {
    try send(FrameDecoder.magic + ping)
    while owner.messages.isEmpty { loop.runOnce() }
    let intake = try #require(link.lend())
    let stranger = frame(stream: 9, [4, 5])
    let sent = frame(pattern(500)) + stranger + ping
    try send(sent)
    for _ in 0..<3 { loop.runPending() }
    #expect(owner.data.isEmpty)
    #expect(link.lend() == nil)
    let taker = Taker()
    intake.drain(into: taker)
    #expect(taker.bytes == pattern(500))
    #expect(owner.data.isEmpty)
    _ = link.takeBack()
    link.flush()
    #expect(owner.data == [4, 5])
    #expect(owner.messages == [.ping, .ping])
    #expect(link.bytesReceived == UInt64(FrameDecoder.magic.count + ping.count + sent.count))
    try send(ping)
    while owner.messages.count < 3 { loop.runOnce() }
    finish()
  }

  @Test func theSocketStaysOpenUntilItsJobIsDone() throws {
    try send(FrameDecoder.magic + ping)
    while owner.messages.isEmpty { loop.runOnce() }
    let intake = try #require(link.lend())
    let sent = frame(pattern(100))
    try send(sent)
    link.close()
    #expect(owner.ended == .closedHere)
    while loop.openHandleCount > 0 { loop.runOnce() }
    #expect(near.descriptor >= 0, "a job still reads it")
    let taker = Taker()
    drain(intake, taker, until: sent.count)
    #expect(taker.bytes == pattern(100))
    #expect(link.takeBack() == false)
    #expect(near.descriptor == -1)
    finish()
  }

  @Test func thePeersEndIsHeardWhenTheReceiveSideIsBack() throws {
    try send(FrameDecoder.magic + ping)
    while owner.messages.isEmpty { loop.runOnce() }
    let intake = try #require(link.lend())
    let sent = frame(pattern(100))
    try send(Array(sent.dropLast()))
    try far.shutdownWrite()
    let taker = Taker()
    repeat { intake.drain(into: taker) } while intake.pause == .empty
    #expect(owner.ended == nil)
    #expect(link.takeBack() == false)
    #expect(owner.ended == .cutOff)
    finish()
  }

  @Test("A link that waits for a buffer may be woken by what it sends itself")
  func itsOwnOutputWakesIt() throws {
    try send(FrameDecoder.magic + ping)
    while owner.messages.isEmpty { loop.runOnce() }
    let mine = try #require(pool.take())
    mine.bytes.copyBytes(from: ping)
    let other = try #require(pool.take())
    try send(ping)
    while pool.waits == 0 { loop.runOnce() }
    #expect(owner.messages == [.ping])
    link.send(Slice(buffer: mine, range: 0..<ping.count))
    link.flush()
    while owner.messages.count < 2 { loop.runOnce() }
    pool.unpin(other)
    finish()
  }

  @Test func withoutABufferNothingIsLent() throws {
    let first = try #require(pool.take())
    let second = try #require(pool.take())
    #expect(link.lend() == nil)
    pool.unpin(first)
    pool.unpin(second)
    #expect(link.lend() != nil)
    #expect(link.takeBack() == false)
    finish()
  }
}

/// Links that wait for a buffer.
@Suite struct PoolWaitTests {
  private final class Owner: LinkOwner {
    func linkDidReceive(_ header: FrameHeader, body: [UInt8]) {}
    func linkDidBeginData(_ prefix: DataPrefix) {}
    func linkDidReceiveData(_ slice: Slice, isLast: Bool) {}
    func linkWantsOutput() -> Bool { false }
    func linkDidFind(_ error: WireError) {}
    func linkDidEnd(_ end: LinkEnd) {}
  }

  @Test func aWideBufferThatComesBackWakesAsManyAsItHasPlaces() throws {
    let loop = try Loop()
    let pool = BufferPool(bytes: 16 << 20)
    let owner = Owner()
    let listener = try Socket.listen(on: try #require(SocketAddress.parse(Array("127.0.0.1:0".utf8))), backlog: 8)
    var far: [Socket] = []
    let links = try (0..<6).map { _ in
      far.append(try Socket.connect(to: try #require(listener.localAddress)))
      var near: Socket?
      while near == nil { near = try listener.accept() }
      return try Link(loop, try #require(near), pool: pool, owner: owner)
    }
    let wide = try #require(pool.takeForBulk())
    var taken: [Buffer] = []
    while let buffer = pool.take() { taken.append(buffer) }
    for link in links { #expect(link.lend() == nil) }
    pool.unpin(wide)
    let places = wide.bytes.count / Limits.bufferSize
    #expect(links.map { $0.lend() != nil } == links.indices.map { $0 < places })
    for link in links[..<places] { _ = link.takeBack() }
    for buffer in taken { pool.unpin(buffer) }
    for socket in far { socket.close() }
    listener.close()
    for link in links { link.close() }
    loop.run()
    #expect(pool.usedCount == 0)
    loop.close()
  }
}
