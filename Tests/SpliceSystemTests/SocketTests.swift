// Sockets over the loopback interface, on ports that the kernel chooses.

import Glibc
import SpliceSystem
import TestFiles
import Testing

@Suite struct SocketTests {
  let temporary = TemporaryDirectory()

  private func loopback(_ text: String = "127.0.0.1:0") throws -> SocketAddress {
    try #require(SocketAddress.parse(bytes(text)))
  }

  private func wait(_ socket: Socket, _ events: Int32) {
    var polled = pollfd(fd: socket.descriptor, events: Int16(events), revents: 0)
    while Glibc.poll(&polled, 1, -1) < 0 {}
  }

  private func makePair(_ address: String = "127.0.0.1:0") throws -> (near: Socket, far: Socket) {
    let listener = try Socket.listen(on: loopback(address), backlog: 4)
    #expect(try listener.accept() == nil)
    let near = try Socket.connect(to: #require(listener.localAddress))
    wait(listener, POLLIN)
    let far = try #require(try listener.accept())
    wait(near, POLLOUT)
    #expect(near.connectError() == nil)
    return (near, far)
  }

  private func receiveAll(_ socket: Socket, count: Int) throws -> [UInt8] {
    var all: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
    defer { buffer.deallocate() }
    while all.count < count {
      switch try socket.receive(into: buffer) {
      case .bytes(let got): all += buffer[..<got]
      case .end: return all
      case .wouldBlock: wait(socket, POLLIN)
      }
    }
    return all
  }

  @Test(arguments: ["127.0.0.1:0", "[::1]:0"])
  func addressesOfBothEndsAgree(address: String) throws {
    let (near, far) = try makePair(address)
    #expect(near.localAddress == far.peerAddress)
    #expect(near.peerAddress == far.localAddress)
    #expect(try #require(near.localAddress).isLoopback)
    #expect(try #require(near.localAddress).port != 0)
  }

  @Test func piecesArriveInOrderAndTheEndIsSeen() throws {
    let (near, far) = try makePair()
    try near.setNoDelay()
    let parts = (0..<100).map { [UInt8](repeating: UInt8($0), count: $0 % 5) }
    var rest = Array(parts.joined())
    let all = rest
    // More pieces than one call takes: the first call is short, the second sends what is left.
    let first = try #require(try withPieces(parts) { try near.send($0, more: true) })
    #expect(first == parts[..<64].reduce(0) { $0 + $1.count })
    rest.removeFirst(first)
    #expect(try withPieces([rest]) { try near.send($0, more: false) } == rest.count)
    try near.shutdownWrite()
    #expect(try receiveAll(far, count: all.count + 1) == all)
    // The other direction is still open.
    #expect(try withPieces([bytes("bye")]) { try far.send($0, more: false) } == 3)
    #expect(try receiveAll(near, count: 3) == bytes("bye"))
  }

  @Test func nothingToReceiveWouldBlock() throws {
    let (near, _) = try makePair()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 8)
    defer { buffer.deallocate() }
    #expect(throws: Never.self) { try near.setNoDelay() }
    // The far end was dropped, so exactly one of these comes; both are no error.
    let received = try near.receive(into: buffer)
    #expect(received == .wouldBlock || received == .end)
  }

  @Test func fullBufferWouldBlock() throws {
    let (near, far) = try makePair()
    let block = [UInt8](repeating: 1, count: 1 << 20)
    var sent = 0
    while let count = try withPieces([block], { try near.send($0, more: false) }) { sent += count }
    #expect(sent > 0)
    #expect(try receiveAll(far, count: sent).count == sent)
  }

  @Test func fileIsSentFromItsOffsetToItsEnd() throws {
    let (near, far) = try makePair()
    let file = try temporary.open().openFile(bytes("file"), .createNew, permissions: 0o644)
    var contents = [UInt8](repeating: 0, count: 3_000_000)
    for index in contents.indices { contents[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }
    try file.write(contents, at: 0)
    var offset = 1000
    var received: [UInt8] = []
    sending: while true {
      switch try near.sendFile(file.descriptor, at: UInt64(offset), count: 1 << 30) {
      case .some(0): break sending
      case .some(let count): offset += count
      case nil: received += try receiveAll(far, count: offset - 1000 - received.count)
      }
    }
    #expect(offset == contents.count)
    received += try receiveAll(far, count: offset - 1000 - received.count)
    #expect(received == Array(contents[1000...]))
    #expect(try near.sendFile(file.descriptor, at: 1 << 40, count: 10) == 0)
  }

  @Test func lingerZeroResetsTheConnection() throws {
    let (near, far) = try makePair()
    try near.setLinger0()
    near.close()
    wait(far, POLLIN)
    #expect(throws: Errno.connectionReset) { try receiveAll(far, count: 1) }
  }

  @Test func sendingToAClosedPeerIsAnErrorAndNoSignal() throws {
    let (near, far) = try makePair()
    far.close()
    #expect(throws: Errno.self) {
      while true {
        wait(near, POLLOUT)
        _ = try withPieces([[1]]) { try near.send($0, more: false) }
      }
    }
  }

  /// The port is bound but not listened on, so that nobody else can be there.
  @Test func refusedConnectionIsReported() throws {
    let holder = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { Glibc.close(holder) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutableBytes(of: &address) { raw in
      let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
      #expect(Glibc.bind(holder, pointer, size) == 0)
      #expect(getsockname(holder, pointer, &size) == 0)
    }
    let port = UInt16(bigEndian: address.sin_port)
    let target = try #require(SocketAddress(bytes: [127, 0, 0, 1], port: port))
    do {
      let socket = try Socket.connect(to: target)
      wait(socket, POLLOUT)
      #expect(socket.connectError() == .connectionRefused)
      #expect(socket.connectError() == nil)
    } catch {
      #expect(error == .connectionRefused)
    }
  }

  @Test func addressInUseIsReported() throws {
    let listener = try Socket.listen(on: loopback(), backlog: 4)
    let taken = try #require(listener.localAddress)
    #expect(throws: Errno.addressInUse) { try Socket.listen(on: taken, backlog: 4) }
  }

  @Test func closeIsIdempotent() throws {
    let listener = try Socket.listen(on: loopback(), backlog: 4)
    listener.close()
    listener.close()
    #expect(listener.descriptor == -1)
    #expect(listener.localAddress == nil)
  }
}
