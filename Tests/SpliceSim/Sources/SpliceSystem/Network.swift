// A network that splits, merges, delays, damages and loses what it carries.

internal import SpliceBase

/// What a socket watcher asks. Times are the world's, nil means not before something else happens.
package protocol Pollable: AnyObject {
  func readableTime(_ world: World) -> UInt64?
  func writableTime(_ world: World) -> UInt64?
}

/// A listening socket.
package final class Listener: Pollable {
  let process: SimProcess
  let port: UInt16
  fileprivate(set) var isOpen = true
  fileprivate var waiting: [Endpoint] = []

  init(_ process: SimProcess, port: UInt16) {
    self.process = process
    self.port = port
  }

  package func readableTime(_ world: World) -> UInt64? { waiting.first?.connectedAt }
  package func writableTime(_ world: World) -> UInt64? { nil }

  func accept(_ world: World) -> Endpoint? {
    guard let first = waiting.first, let time = first.connectedAt, time <= world.now else { return nil }
    return waiting.removeFirst()
  }
}

/// One end of a connection, as the kernel of its machine has it.
package final class Endpoint: Pollable {
  fileprivate struct Chunk {
    var bytes: [UInt8]
    var taken = 0
    let arrivesAt: UInt64
  }

  package let isClient: Bool
  package let connection: Int
  package fileprivate(set) var process: SimProcess
  /// Nil until the other end is known, and after this one is gone.
  fileprivate(set) var peer: Endpoint?
  fileprivate var connectedAt: UInt64?
  fileprivate var connectError: (number: Errno, at: UInt64)?
  /// Bytes on their way here or not read yet.
  fileprivate var incoming: [Chunk] = []
  fileprivate var incomingCount = 0
  /// Bytes that went nowhere, but that the sender's kernel still holds.
  fileprivate var swallowed = 0
  fileprivate var lastArrival: UInt64 = 0
  fileprivate var endAt: UInt64?
  fileprivate var resetAt: UInt64?
  fileprivate var isClosed = false
  fileprivate var isShut = false
  /// It has said goodbye: what it still reads goes nowhere.
  package var isLeaving = false
  /// Nothing comes through any more, and nobody is told.
  package fileprivate(set) var isSevered = false

  fileprivate init(_ process: SimProcess, connection: Int, isClient: Bool) {
    self.process = process
    self.connection = connection
    self.isClient = isClient
  }

  package var isLive: Bool { !isClosed && resetAt == nil && peer != nil }

  package func readableTime(_ world: World) -> UInt64? {
    guard connectedAt != nil else { return connectError?.at }
    var time = incoming.first?.arrivesAt ?? .max
    // The end comes after the bytes before it.
    if incoming.isEmpty, let endAt { time = min(time, endAt) }
    if let resetAt { time = min(time, resetAt) }
    return time == .max ? nil : time
  }

  package func writableTime(_ world: World) -> UInt64? {
    if let connectError { return connectError.at }
    guard let connectedAt else { return nil }
    if let resetAt, resetAt <= world.now { return resetAt }
    if room(world) > 0 { return connectedAt }
    return resetAt
  }

  fileprivate func room(_ world: World) -> Int {
    world.network.capacity - swallowed - (peer?.incomingCount ?? 0)
  }

  func takeError(_ world: World) -> Errno? {
    if let connectError, connectError.at <= world.now {
      self.connectError = nil
      return connectError.number
    }
    return connectedAt == nil ? .notConnected : nil
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer, _ world: World) throws(Errno) -> Received {
    if let resetAt, resetAt <= world.now, incoming.isEmpty || incoming[0].arrivesAt > resetAt {
      throw .connectionReset
    }
    var done = 0
    while done < buffer.count, let first = incoming.first, first.arrivesAt <= world.now {
      let count = min(buffer.count - done, first.bytes.count - first.taken)
      first.bytes.withUnsafeBytes { source in
        UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[first.taken..<first.taken + count]))
      }
      done += count
      incomingCount -= count
      if first.taken + count == first.bytes.count {
        incoming.removeFirst()
      } else {
        incoming[0].taken += count
      }
      if world.chance(8) { break }
    }
    if !isLeaving { world.network.count(done, readByServer: !isClient) }
    if done > 0 { return .bytes(done) }
    if incoming.isEmpty, let endAt, endAt <= world.now { return .end }
    return .wouldBlock
  }

  /// How many bytes of `count` the kernel takes now; 0 = none.
  func accepted(_ count: Int, _ world: World) throws(Errno) -> Int {
    if let resetAt, resetAt <= world.now { throw .connectionReset }
    guard connectedAt != nil, !isShut else { throw .brokenPipe }
    var taken = min(count, max(0, room(world)), 256 << 10)
    if taken > 1, world.chance(4) { taken = 1 + Int(world.below(UInt64(taken - 1))) }
    return taken
  }

  func send(_ bytes: [UInt8], _ world: World) {
    let damaged = world.network.pass(bytes, from: self, world)
    guard let peer, !isSevered else {
      swallowed += bytes.count
      return
    }
    if peer.isClosed {
      swallowed += bytes.count
      if resetAt == nil { resetAt = world.now + world.network.delay(world) }
      return
    }
    peer.lastArrival = max(peer.lastArrival, world.now + world.network.delay(world, count: bytes.count))
    peer.incoming.append(Chunk(bytes: damaged, arrivesAt: peer.lastArrival))
    peer.incomingCount += bytes.count
  }

  func shutWrite(_ world: World) {
    guard !isShut else { return }
    isShut = true
    guard let peer, !isSevered, !peer.isClosed else { return }
    peer.lastArrival = max(peer.lastArrival, world.now + world.network.delay(world))
    peer.endAt = peer.lastArrival
  }

  fileprivate func reset(at time: UInt64) { resetAt = min(resetAt ?? .max, time) }

  /// Nothing comes any more: what is on the way is lost.
  fileprivate func dropIncoming(after time: UInt64) {
    while let last = incoming.last, last.arrivesAt > time {
      incomingCount -= last.bytes.count - last.taken
      incoming.removeLast()
    }
  }
}

/// All connections, and how good the cables are.
package final class Network {
  /// Nanoseconds one way, and nanoseconds for a KiB.
  package var latency: UInt64 = 200_000
  package var slowness: UInt64 = 5_000
  /// Bytes that the kernels of both ends hold for one direction.
  package var capacity = 256 << 10
  /// One in so many sends carries a flipped bit in file bytes; 0 = never.
  package var damage: UInt64 = 0
  /// Sees what is sent, before it is damaged; returns the ranges that may be: file bytes and their digests.
  package var onSend: ((Endpoint, [UInt8]) -> [Range<Int>])?
  package private(set) var damageCount = 0
  /// By ends that had a use for them.
  package private(set) var bytesReadByServer = 0
  package private(set) var bytesReadByClients = 0
  package var connections: Int { connectionCount }
  private var stalledUntil: UInt64 = 0
  private var listeners: [Listener] = []
  private var clients: [Endpoint] = []
  private var connectionCount = 0

  init() {}

  func delay(_ world: World, count: Int = 0) -> UInt64 {
    let base = latency / 2 + world.below(latency) + UInt64(count) * slowness / 1024
    return max(base, stalledUntil > world.now ? stalledUntil - world.now + world.below(latency) : 0)
  }

  fileprivate func count(_ bytes: Int, readByServer: Bool) {
    if readByServer { bytesReadByServer += bytes } else { bytesReadByClients += bytes }
  }

  fileprivate func pass(_ bytes: [UInt8], from endpoint: Endpoint, _ world: World) -> [UInt8] {
    let ranges = onSend?(endpoint, bytes) ?? []
    guard world.chance(damage), !ranges.isEmpty else { return bytes }
    let range = world.pick(ranges)
    let position = range.lowerBound + Int(world.below(UInt64(range.count)))
    var damaged = bytes
    damaged[position] ^= 1 << UInt8(world.below(8))
    damageCount += 1
    world.trace("a bit flips on connection \(endpoint.connection)")
    return damaged
  }

  // MARK: Sockets

  func listen(_ process: SimProcess, port: UInt16) throws(Errno) -> Listener {
    if listeners.contains(where: { $0.isOpen && $0.port == port && $0.process.machine === process.machine }) {
      throw .addressInUse
    }
    let listener = Listener(process, port: port)
    listeners.append(listener)
    return listener
  }

  func close(_ listener: Listener) {
    listener.isOpen = false
    for endpoint in listener.waiting { close(endpoint) }
    listener.waiting = []
    listeners.removeAll { $0 === listener }
  }

  /// Machines are found by port: each simulated machine listens on its own.
  func connect(_ process: SimProcess, port: UInt16) -> Endpoint {
    let world = World.current
    connectionCount += 1
    let mine = Endpoint(process, connection: connectionCount, isClient: true)
    let time = world.now + delay(world)
    guard let listener = listeners.first(where: { $0.port == port }) else {
      // A machine that is down does not even refuse.
      if world.network.isReachable?() ?? true { mine.connectError = (.connectionRefused, time) }
      return mine
    }
    let theirs = Endpoint(listener.process, connection: connectionCount, isClient: false)
    mine.peer = theirs
    theirs.peer = mine
    mine.connectedAt = time
    theirs.connectedAt = time
    listener.waiting.append(theirs)
    clients.removeAll { !$0.isLive }
    clients.append(mine)
    world.trace("connection \(connectionCount)")
    return mine
  }

  /// Whether the server's machine has power.
  package var isReachable: (() -> Bool)?

  func close(_ endpoint: Endpoint) {
    guard !endpoint.isClosed else { return }
    let world = World.current
    endpoint.isClosed = true
    if let peer = endpoint.peer, !endpoint.isSevered, !peer.isClosed {
      if endpoint.incomingCount > 0 {
        peer.reset(at: max(peer.lastArrival, world.now + delay(world)))
      } else if !endpoint.isShut {
        peer.lastArrival = max(peer.lastArrival, world.now + delay(world))
        peer.endAt = peer.lastArrival
      }
    }
    endpoint.incoming = []
    endpoint.incomingCount = 0
    // The peer keeps its way to this end, so that what it sends is answered by a reset; the cycle ends here.
    endpoint.peer = nil
  }

  /// The process is gone. `isSilent`: so is its machine, and nobody tells the peer until it sends again.
  func abandon(_ endpoint: Endpoint, isSilent: Bool) {
    if isSilent, !endpoint.isClosed {
      endpoint.isClosed = true
      endpoint.incoming = []
      endpoint.incomingCount = 0
      endpoint.peer?.isSevered = true
      // A machine that is up again answers what it does not know with a reset, if anything reaches it.
      let world = World.current
      if world.chance(2) { endpoint.peer?.reset(at: world.now + world.below(20_000_000_000)) }
      endpoint.peer = nil
    } else {
      close(endpoint)
    }
  }

  // MARK: What befalls cables

  private func anyClient(_ world: World) -> Endpoint? {
    clients.removeAll { !$0.isLive }
    return clients.isEmpty ? nil : world.pick(clients)
  }

  package var hasConnections: Bool { clients.contains { $0.isLive } }

  /// Both ends are told, each at its time; what is on the way may be lost.
  package func cut(_ world: World) -> Bool {
    guard let mine = anyClient(world), let theirs = mine.peer else { return false }
    world.trace("connection \(mine.connection) is cut")
    for end in [mine, theirs] {
      end.isSevered = true
      end.dropIncoming(after: world.now + world.below(latency))
      end.reset(at: world.now + world.below(2_000_000_000))
    }
    return true
  }

  /// One end or both are never told.
  package func sever(_ world: World) -> Bool {
    guard let mine = anyClient(world), let theirs = mine.peer else { return false }
    world.trace("connection \(mine.connection) falls silent")
    for end in [mine, theirs] {
      end.isSevered = true
      end.dropIncoming(after: world.now)
    }
    switch world.below(3) {
    case 0: mine.reset(at: world.now + world.below(3_000_000_000))
    case 1: theirs.reset(at: world.now + world.below(3_000_000_000))
    default: break
    }
    return true
  }

  package func stall(_ world: World) {
    stalledUntil = max(stalledUntil, world.now + world.below(8_000_000_000))
    world.trace("the network stalls")
  }
}
