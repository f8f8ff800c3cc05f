// A simulated server machine and what both session targets need of it.

internal import SpliceBase
internal import SpliceCore
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// One world for one input. Nothing is left to chance but what the input decides.
final class Room {
  let world: World
  let server: Machine
  let client: Machine
  /// For the daemon.
  fileprivate let memory: Int
  private static let outside = [UInt8]("nobody may read this, or write here".utf8)

  init(seed: UInt64) {
    world = World(seed: seed)
    memory = seed % 4 < 2 ? 1 << 20 : 4 << 20
    World.current = world
    server = Machine("server", number: 1, world: world)
    client = Machine("client", number: 2, world: world)
    world.network.latency = 50_000
    world.network.slowness = 100
    world.network.capacity = 4 << 20
    PoolRequest.patience = 20_000
    world.overlap = seed % 2 == 0 ? 6 : 0
    for machine in [server, client] {
      machine.disk.makePath("srv")
      machine.disk.makePath("dst")
      put(Self.outside, "secret", machine)
    }
    let server = self.server
    world.network.isReachable = { server.isUp }
  }

  func put(_ bytes: [UInt8], _ path: String, _ machine: Machine, modified: Timestamp? = nil) {
    machine.disk.place(bytes, at: path, modified: modified ?? machine.stampNow, stamp: machine.stampNow)
  }

  static let address = SocketAddress(bytes: [10, 0, 0, 1], port: 7420)!
  static let qtAddress = SocketAddress(bytes: [10, 0, 0, 1], port: 7421)!

  /// Lets things happen until nothing is left to happen now, or the time has passed.
  func run(milliseconds: UInt64) {
    let end = world.now + milliseconds * 1_000_000
    var steps = 0
    while world.now < end, steps < 3000, world.failure == nil, world.step() { steps += 1 }
    check(world.failure == nil, world.failure ?? "")
  }

  /// What is outside of the folders that are served or written to is as it was.
  func checkOutside() {
    for machine in [server, client] {
      let names = machine.disk.root.entries.keys.map { String(decoding: $0, as: UTF8.self) }.sorted()
      check(
        names == ["dst", "secret", "srv"] || names == ["cache", "dst", "secret", "srv"], "outside: \(names)")
      check(
        machine.disk.find("secret")?.cached.isEqual(to: Self.outside) == true, "a file outside was changed")
    }
  }

  /// The files that readers of the server see.
  var visible: [(name: String, inode: Inode)] { files(server.disk.find("srv"), "") }

  private func files(_ folder: Inode?, _ prefix: String) -> [(name: String, inode: Inode)] {
    guard let folder else { return [] }
    return folder.entries.flatMap { name, inode -> [(name: String, inode: Inode)] in
      let text = String(decoding: name, as: UTF8.self)
      if prefix.isEmpty, text == ".splice" { return [] }
      return inode.kind == .directory ? files(inode, prefix + text + "/") : [(prefix + text, inode)]
    }
  }

  /// Asks everything to stop: all of it must end, with every buffer and handle given back.
  func end() {
    for process in world.processes { process.crashPlan = nil }
    for process in world.processes { process.send(signal: SignalWatcher.terminate) }
    let deadline = world.now + 600_000_000_000
    var steps = 0
    while !world.processes.isEmpty, world.failure == nil {
      check(world.step(), "\(world.processes.map(\.name)) never end: nothing can happen any more")
      steps += 1
      check(steps < 200_000 && world.now < deadline, "\(world.processes.map(\.name)) do not end")
    }
    check(world.failure == nil, world.failure ?? "")
    checkOutside()
  }
}

/// Keeps a daemon running that serves srv to everybody, with little memory and little patience.
final class Operator {
  private let room: Room
  private(set) var process: SimProcess?
  private var restart: Alarm?

  init(_ room: Room) {
    self.room = room
    let restart = Alarm("operator") { [self] in start() }
    room.world.actors.append(restart)
    self.restart = restart
  }

  func start() {
    guard process == nil else { return }
    room.server.boot()
    var configuration = ServerConfiguration()
    configuration.listen = [Room.address]
    configuration.listenForQt = [Room.qtAddress]
    // Little, or enough for a wide buffer.
    configuration.memory = room.memory
    configuration.checkpointBytes = 300 << 10
    configuration.checkpointMilliseconds = 300
    configuration.idleMilliseconds = 10_000
    process = room.world.start(room.server, "spliced") { [self] in
      guard let process = room.world.process else { return }
      process.onCrash = { [weak self] crash in
        guard let self else { return }
        self.process = nil
        self.restart?.time = self.room.world.now + (crash == .kill ? 1_000_000 : 3_000_000_000)
      }
      let boot = Boot(id: BootID(bytes: Host.bootID()), startedAt: SystemClock.bootTime())
      guard let root = try? PosixDirectory.open([UInt8]("/srv"), confined: true),
        let store = try? Store.open(root, isReadOnly: false, boot: boot),
        let server = try? Server(configuration, store, control: nil, Log(threshold: .debug))
      else { broken("the daemon does not start") }
      process.held = server
      do throws(ServerError) {
        try server.obeySignals()
        try server.run()
      } catch { broken("the daemon does not run") }
    }
  }

  /// A daemon that ends from now on stays away.
  func retire() {
    restart?.time = nil
    room.world.actors.removeAll()
    restart = nil
  }
}

/// What runs a world's actors by the clock, when nothing else does.
final class Alarm: EventSource {
  let label: String
  var time: UInt64?
  private let body: () -> Void

  init(_ label: String, _ body: @escaping () -> Void) {
    self.label = label
    self.body = body
  }

  func readyTime(_ world: World) -> UInt64? { time }

  func fire(_ world: World) {
    time = nil
    body()
  }
}

extension Content {
  var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: size)
    let count = bytes.withUnsafeMutableBytes { read(into: $0, at: 0) }
    check(count == size, "a file of \(size) bytes has \(count)")
    return bytes
  }
}
