// A socket of the simulated network, with the face of the real Socket.

internal import SpliceBase

package enum Received: Equatable, Sendable {
  case bytes(Int)
  case end
  case wouldBlock
}

package final class Socket {
  package private(set) var descriptor: Int32
  private let process: SimProcess
  private let endpoint: Endpoint?
  private let listener: Listener?
  private let address: SocketAddress

  private init(_ process: SimProcess, _ address: SocketAddress, _ endpoint: Endpoint?, _ listener: Listener?) {
    self.process = process
    self.address = address
    self.endpoint = endpoint
    self.listener = listener
    if let endpoint {
      descriptor = process.open(endpoint)
    } else if let listener {
      descriptor = process.open(listener)
    } else {
      descriptor = -1
    }
  }

  deinit { close() }

  package func close() {
    if descriptor < 0 { return }
    process.close(descriptor)
    descriptor = -1
  }

  private static var here: SimProcess {
    guard let process = World.current.process else { panic("a system call outside of a process") }
    return process
  }

  package static func listen(on address: SocketAddress, backlog: Int32) throws(Errno) -> Socket {
    let process = here
    return Socket(process, address, nil, try World.current.network.listen(process, port: address.port))
  }

  /// There are no local sockets here: the simulated daemon has no control socket.
  package static func listen(
    in folder: any Directory, name: [UInt8], permissions: UInt32, backlog: Int32
  ) throws(Errno) -> Socket { throw .notSupported }

  package static func connect(in folder: any Directory, name: [UInt8]) throws(Errno) -> Socket {
    throw .notSupported
  }

  package func accept() throws(Errno) -> Socket? {
    try process.call("accept", changes: false)
    guard let endpoint = listener?.accept(World.current) else { return nil }
    return Socket(process, address, endpoint, nil)
  }

  package static func connect(to address: SocketAddress) throws(Errno) -> Socket {
    let process = here
    try process.call("connect", changes: false)
    return Socket(process, address, World.current.network.connect(process, port: address.port), nil)
  }

  package func connectError() -> Errno? {
    if process.isDead { return .inputOutput }
    return endpoint?.takeError(World.current)
  }

  private func connected() throws(Errno) -> Endpoint {
    guard let endpoint, descriptor >= 0 else { throw .badDescriptor }
    return endpoint
  }

  package func receive(into: UnsafeMutableRawBufferPointer) throws(Errno) -> Received {
    try process.call("recv", changes: false)
    return try connected().receive(into: into, World.current)
  }

  package func send(
    _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, more: Bool
  ) throws(Errno) -> Int? {
    try process.call("send", changes: true)
    let world = World.current
    let endpoint = try connected()
    var total = 0
    for piece in pieces { total += piece.count }
    let count = try endpoint.accepted(total, world)
    if count == 0 { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for piece in pieces {
      let part = min(piece.count, count - bytes.count)
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: piece[..<part]))
    }
    endpoint.send(bytes, world)
    return count
  }

  package func sendFile(_ file: Int32, at offset: UInt64, count: Int) throws(Errno) -> Int? {
    try process.call("sendfile \(offset)+\(count)", changes: true)
    let world = World.current
    let endpoint = try connected()
    guard let inode = process.files[file]?.inode else { throw .badDescriptor }
    if world.chance(process.machine.disk.faults.read) { throw .inputOutput }
    let there = min(count, max(0, inode.cached.size - Int(offset)))
    if there == 0 { return 0 }
    let taken = try endpoint.accepted(there, world)
    if taken == 0 { return nil }
    let bytes = [UInt8](unsafeUninitializedCapacity: taken) { buffer, filled in
      filled = inode.cached.read(into: UnsafeMutableRawBufferPointer(buffer), at: Int(offset))
    }
    endpoint.send(bytes, world)
    return taken
  }

  package func setNoDelay() throws(Errno) {}

  package func shutdownWrite() throws(Errno) {
    try process.call("shutdown", changes: true)
    try connected().shutWrite(World.current)
  }

  package func setLinger0() throws(Errno) {}

  package var localAddress: SocketAddress? { address }
  package var peerAddress: SocketAddress? { address }
}
