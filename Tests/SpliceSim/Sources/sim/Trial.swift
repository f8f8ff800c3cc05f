// One seed: a world, what its users want, what befalls it, and how it ends.

internal import SpliceBase
internal import SpliceClient
internal import SpliceCore
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// What may befall the world while its users work.
enum Trouble: CaseIterable {
  case cut, sever, stall
  case killServer, cutServerPower, stopServer
  case killClient, cutClientPower, interruptClient
  case meddleWithStage
  case failServerDisk, failClientDisk, fillServerDisk, fillClientDisk
}

final class Trial {
  let world: World
  let server: Machine
  let clients: [Machine]
  let ledger: Ledger
  let scenario: Scenario
  private let spy: Spy
  var troubles: [Trouble] = []
  var troublesLeft = 0
  /// Mean number of changes between two troubles.
  var troubleGap: UInt64 = 60
  var configuration = ServerConfiguration()
  var retrySeconds: [UInt64] = [0, 5, 600]
  var scripts: [Script] = []
  /// Nothing breaks any more; everything must succeed now.
  private(set) var isHealed = false
  private(set) var cuts = 0
  private var daemon: SimProcess?
  private var operators: [Actor] = []
  private var mischief: Actor?
  private var versionCount = 0
  private var wasStarted = false
  private var isStopping = false
  private(set) var clientRuns = 0
  private(set) var crashes = 0

  /// A user with a list of commands.
  final class Script {
    let machine: Machine
    var commands: [Command]
    var process: SimProcess?
    var actor: Actor?

    init(_ machine: Machine, _ commands: [Command]) {
      self.machine = machine
      self.commands = commands
    }

    var isDone: Bool { commands.allSatisfy { $0.isDone } }
  }

  init(seed: UInt64, isTracing: Bool) {
    world = World(seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x5151)
    World.current = world
    world.isTracing = isTracing
    server = Machine("server", number: 1, world: world)
    clients = [Machine("client1", number: 2, world: world), Machine("client2", number: 3, world: world)]
    ledger = Ledger(world, server)
    spy = Spy(world, ledger)
    scenario = Scenario.allCases[Int(world.below(UInt64(Scenario.allCases.count)))]
    for machine in [server] + clients {
      machine.disk.makePath("srv")
      machine.disk.makePath("src")
      machine.disk.makePath("dst")
    }
    let spy = self.spy
    world.network.onSend = { spy.hear($0, $1) }
    let ledger = self.ledger
    world.onCall = { ledger.check() }
    let server = self.server
    world.network.isReachable = { server.isUp }
    drawMachines()
    scenario.prepare(self)
    let harmless: [Trouble] = [.cut, .sever, .stall, .cutServerPower, .killClient, .cutClientPower, .interruptClient]
    ledger.onlyPowerFails = troubles.allSatisfy { harmless.contains($0) } && damage == 0 && server.clockJump == 0
  }

  private func drawMachines() {
    configuration.listen = [SocketAddress(bytes: [10, 0, 0, 1], port: 7420)!]
    configuration.workers = world.chance(4) ? 2 : 1
    configuration.memory = world.pick([512 << 10, 1 << 20, 4 << 20])
    configuration.checkpointBytes = world.pick([64 << 10, 300 << 10, 1 << 20, 2 << 20, 64 << 20])
    configuration.checkpointMilliseconds = world.pick([20, 300, 5000])
    configuration.idleMilliseconds = world.pick([1500, 10_000, 60_000])
    world.network.latency = world.pick([50_000, 1_000_000, 40_000_000, 400_000_000])
    world.network.slowness = world.pick([500, 5_000, 100_000])
    world.network.capacity = world.pick([20 << 10, 200 << 10, 1 << 20])
    world.overlap = world.pick([0, 6, 20])
    PoolRequest.patience = world.pick([20_000, 1_000_000, 30_000_000])
    for machine in [server] + clients {
      machine.stampTick = world.pick([1, 1, 4_000_000])
      machine.clockJump = world.chance(4) ? 3600 : 0
    }
  }

  // MARK: Building

  /// A content that nobody has seen yet. `after`: it begins and may end like that one. `sharing`: in so many bytes.
  func makeVersion(size: Int, after: Version? = nil, sharing: Int? = nil) -> Version {
    versionCount += 1
    var bytes: [UInt8]
    if let after, sharing != nil || !world.chance(4) {
      let limit = min(after.size, size)
      let shared = sharing ?? (world.chance(3) ? limit : Int(world.below(UInt64(limit + 1))))
      bytes = Array(after.bytes[..<shared])
      bytes += Version.noise(size - shared, &world.random)
    } else {
      bytes = Version.noise(size, &world.random)
    }
    return Version(versionCount, bytes)
  }

  func drawSize() -> Int {
    let block = Int(Limits.blockSize)
    return world.pick([
      0, 1, 1000, 100_000, block - 1, block, block, block + 1, block + 70_000, 2 * block - 1, 2 * block,
      2 * block + 1, 2 * block + 300_000, 3 * block, 3 * block + 12_345, 5 * block + 5,
    ])
  }

  func put(_ version: Version, at path: String, on machine: Machine, inPlace: Bool = false) {
    machine.disk.place(
      version.bytes, at: path, modified: version.modified, stamp: machine.stampNow, inPlace: inPlace)
  }

  /// A file of the user, which will be put to `remote`.
  func addSource(_ version: Version, _ remote: String, at local: String, on machine: Machine, inPlace: Bool = false) {
    if inPlace { for old in ledger.path(remote).versions { old.isOverwritten = true } }
    ledger.path(remote).versions.append(version)
    put(version, at: local, on: machine, inPlace: inPlace)
    world.trace("\(machine.name):\(local) is version \(version.number), \(version.size) bytes")
  }

  func addServed(_ version: Version, _ remote: String, inPlace: Bool = false) {
    let path = ledger.path(remote)
    ledger.placed(version, at: path)
    put(version, at: "srv/" + remote, on: server, inPlace: inPlace)
    ledger.check()
    world.trace("server:\(remote) is version \(version.number), \(version.size) bytes")
  }

  func addActor(_ label: String, _ body: @escaping () -> Void) -> Actor {
    let actor = Actor(label, body)
    world.actors.append(actor)
    return actor
  }

  // MARK: The daemon

  private func startDaemon() {
    // A daemon that is being stopped goes first.
    guard daemon == nil, !isStopping else { return }
    server.boot()
    let isFirst = !wasStarted
    wasStarted = true
    daemon = world.start(server, "spliced") { [self] in
      guard let process = world.process else { return }
      // It makes its folders only once.
      if isFirst, troubles.contains(.killServer), world.chance(4) { process.crashPlan = (world.below(6), .kill) }
      process.onEnd = { [weak self, weak process] in
        guard let self, self.daemon === process else { return }
        self.daemon = nil
        self.restartDaemonLater()
      }
      process.onCrash = { [weak self, weak process] crash in
        guard let self else { return }
        self.crashes += 1
        process?.onEnd = nil
        if self.daemon === process { self.daemon = nil }
        self.restartDaemonLater(after: crash == .kill ? 500_000_000 : 20_000_000_000)
      }
      let boot = Boot(id: BootID(bytes: Host.bootID()), startedAt: SystemClock.bootTime())
      do throws(Errno) {
        let root = try PosixDirectory.open([UInt8]("/srv"), confined: true)
        do throws(StoreError) {
          let store = try Store.open(root, isReadOnly: false, boot: boot)
          do throws(ServerError) {
            let server = try Server(configuration, store, control: nil, Log(threshold: .debug))
            try server.obeySignals()
            process.held = server
            try server.run()
          } catch { world.fail("the daemon does not start: \(error)") }
        } catch { world.trace("the store does not open: \(error)") }
      } catch { world.trace("the root does not open: \(error)") }
    }
    if daemon?.isEnded == true || daemon?.isDead == true { daemon = nil }
    if daemon == nil { restartDaemonLater() }
  }

  private func restartDaemonLater(after bound: UInt64 = 100_000_000) {
    operators[0].time = world.now + 1 + world.below(bound)
  }

  // MARK: The users

  private func runNext(_ script: Script) {
    guard let command = script.commands.first(where: { !$0.isDone }) else { return }
    script.machine.boot()
    guard script.process == nil else { return }
    command.preparation?()
    script.process = start(command, on: script.machine) { [weak self] process in
      if let self, script.process === process { self.goOnLater(script) }
    }
    // It can be gone before it has begun.
    if let process = script.process, process.isEnded || process.isDead { goOnLater(script) }
  }

  private func goOnLater(_ script: Script) {
    script.process = nil
    script.actor?.time = world.now + 1 + world.below(1_000_000_000)
  }

  /// - Parameter gone: the process has ended or died.
  @discardableResult
  func start(_ command: Command, on machine: Machine, gone: @escaping (SimProcess) -> Void) -> SimProcess {
    command.runs += 1
    command.running += 1
    clientRuns += 1
    if clientRuns == 1 { scheduleTrouble() }
    let isPeaceful = isHealed
    let startedAt = world.now
    let hasCache = world.chance(2)
    let retry = isHealed ? 600 : world.pick(retrySeconds)
    return world.start(machine, "splice") { [self] in
      guard let process = world.process else { return }
      if command.isImpatient, !isHealed, world.chance(2) { process.crashPlan = (world.below(4), .kill) }
      var isOver = false
      weak var leaked: ClientRun?
      var reasons: [String] = []
      let over = { [weak self, weak process] (wasCrash: Bool) in
        guard let self, let process, !isOver else { return }
        isOver = true
        command.running -= 1
        if !wasCrash {
          if isPeaceful, !command.isDone { self.noteFailure(command, reasons) }
        }
        gone(process)
      }
      process.onEnd = { [weak self] in
        over(false)
        if leaked != nil { self?.world.fail("a client's run is still held after its end") }
      }
      process.onCrash = { [weak self] crash in
        self?.crashes += 1
        over(true)
      }
      let observer = Observer(process) { [weak self] result in
        guard let self else { return }
        if case .failed(let error) = result.outcome {
          reasons.append("\(error.code): \(String(decoding: error.text, as: UTF8.self))")
        } else {
          self.succeeded(command, result, machine, startedAt, isPeaceful)
        }
      }
      do throws(UVError) {
        let run = try ClientRun(
          .network(host: [UInt8]("server".utf8), port: 7420), retrySeconds: retry,
          source: ListSource(tasks(command, machine, DigestCache(path: hasCache ? [UInt8]("/cache") : nil))),
          observer: observer)
        leaked = run
        process.held = run
        try run.obeySignals()
        try run.run()
      } catch { world.fail("a client does not start") }
    }
  }

  private func tasks(_ command: Command, _ machine: Machine, _ cache: DigestCache) -> [any ClientTask] {
    command.items.filter { !command.finished.contains($0.remote) }.map { item in
      switch command.kind {
      case .put:
        let size = machine.disk.find(item.local)?.cached.size ?? 0
        return UploadTask(
          UploadTask.Item(
            localPath: [UInt8](("/" + item.local).utf8), remotePath: [UInt8](item.remote.utf8),
            size: UInt64(size), isDirectory: false, policy: .replace),
          owner: [UInt8](machine.name.utf8), cache: cache)
      case .get:
        let slash = item.local.lastIndex(of: "/") ?? item.local.startIndex
        return DownloadTask(
          DownloadTask.Item(
            remotePath: [UInt8](item.remote.utf8), folder: [UInt8](("/" + item.local[..<slash]).utf8),
            name: [UInt8](item.local[slash...].dropFirst().utf8), size: nil), cache: cache)
      case .lie:
        let claimed = makeVersion(size: max(1, drawSize()))
        // Nothing is promised of bytes that are not what their sender says.
        claimed.isOverwritten = true
        ledger.path(item.remote).versions.append(claimed)
        let noise = Version.noise(claimed.size, &world.random)
        return LyingTask(item.remote, claimed: claimed, sent: noise) { command.finished.insert(item.remote) }
      }
    }
  }

  private func succeeded(
    _ command: Command, _ result: FileResult, _ machine: Machine, _ startedAt: UInt64, _ isPeaceful: Bool
  ) {
    let name = String(decoding: result.path, as: UTF8.self)
    guard let path = ledger.find(name), let item = command.items.first(where: { $0.remote == name }) else {
      return world.fail("a result for '\(name)', which nobody asked for")
    }
    command.finished.insert(name)
    if !result.isDurable { world.fail("\(name) was called done, but not durable") }
    let rest = result.size - min(result.size, result.resumedFrom)
    if case .done = result.outcome, isPeaceful, result.attempts == 1, result.sent != rest {
      world.fail("\(name): \(result.sent) bytes were sent for \(result.size) from \(result.resumedFrom) on")
    }
    let repeated = UInt64(world.network.damageCount) * Limits.blockSize
    if case .done = result.outcome, result.attempts == 1, result.sent > rest + repeated {
      world.fail("\(name): \(result.sent) bytes were sent for \(rest), with \(world.network.damageCount) flipped bits")
    }
    switch command.kind {
    case .put:
      if case .alreadyThere = result.outcome, let local = machine.disk.find(item.local),
        let version = path.versions.first(where: { local.cached.isEqual(to: $0.bytes) })
      {
        ledger.alreadyThere(version, at: path)
      }
    case .lie: break
    case .get: ledger.downloaded(path, to: item.local, on: machine, since: startedAt)
    }
  }

  private func noteFailure(_ command: Command, _ reasons: [String]) {
    command.failuresInPeace += 1
    // A second run of the same command, or another client, may still be at work; and writes that failed before are
    // told to the next that syncs the file.
    let hasRefused = server.disk.refusedSyncs > 0 || server.disk.hasRefusedToSyncAll
    let limit = scripts.count > 1 || scenario == .duplicateClient ? 4 : hasRefused ? 3 : 1
    if command.failuresInPeace >= limit {
      world.fail("nothing is broken any more, but the command fails: \(reasons.joined(separator: "; "))")
    }
  }

  // MARK: Trouble

  private func makeTrouble() {
    guard !isHealed else { return }
    if troublesLeft == 0 || troubles.isEmpty { return heal() }
    troublesLeft -= 1
    befall(world.pick(troubles))
    scheduleTrouble()
  }

  private func scheduleTrouble() {
    mischief?.changes = world.changes + 1 + Int(world.below(2 * troubleGap))
    mischief?.time = world.now + 1 + world.below(6_000_000_000)
  }

  private func befall(_ trouble: Trouble) {
    world.trace("trouble: \(trouble)")
    switch trouble {
    case .cut: if world.network.cut(world) { cuts += 1 }
    case .sever: if world.network.sever(world) { cuts += 1 }
    case .stall:
      // A long one makes the server close the connection.
      world.network.stall(world)
      cuts += 1
    case .killServer: daemon?.crashPlan = (world.below(14), .kill)
    case .cutServerPower: daemon?.crashPlan = (world.below(14), .powerCut)
    case .stopServer: daemon?.send(signal: SignalWatcher.terminate)
    case .killClient: anyClient()?.crashPlan = (world.below(14), .kill)
    case .cutClientPower: anyClient()?.crashPlan = (world.below(14), .powerCut)
    case .interruptClient: interrupt()
    case .meddleWithStage: meddle()
    case .failServerDisk: fail(server.disk)
    case .failClientDisk: fail(clients[0].disk)
    case .fillServerDisk: server.disk.faults.isFull.toggle()
    case .fillClientDisk: clients[0].disk.faults.isFull.toggle()
    }
  }

  private func anyClient() -> SimProcess? {
    let running = scripts.compactMap { $0.process }.filter { !$0.isDead && !$0.isEnded }
    return running.isEmpty ? nil : world.pick(running)
  }

  private var interrupted: Set<UInt32> = []

  private func interrupt() {
    // A second SIGINT ends a process at once, as a kill does.
    guard let client = anyClient(), interrupted.insert(client.id).inserted else { return }
    client.send(signal: SignalWatcher.interrupt)
  }

  /// Another program writes into an unfinished upload. Nobody promises that its bytes survive that, but they
  /// must never get into a finished file. Two writes within one tick of the kernel's clock cannot be told apart.
  /// Not while the machine is off: who changes its disk in another machine then, and dates that back to before
  /// the next boot, is not noticed, and nobody is promised that.
  private func meddle() {
    guard server.isUp, let path = ledger.paths.first(where: { server.disk.find($0.stagePath) != nil }),
      let inode = server.disk.find(path.stagePath), inode.cached.size > 0,
      inode.changed != server.stampNow
    else { return }
    inode.scribble(at: Int(world.below(UInt64(inode.cached.size))), server.stampNow)
    path.promise = nil
    path.isMeddledWith = true
  }

  private func fail(_ disk: Disk) {
    // Many files share a sync, and one of them fails: that is worth more tries.
    if scenario == .smallFiles, world.chance(2) {
      disk.faults.sync = world.pick([3, 10, 20])
      return
    }
    if scenario == .weakDisk {
      disk.faults.sync = world.pick([1, 2, 4])
      disk.faults.refusesOnce = true
      disk.faults.killsTheRefused = true
      return
    }
    disk.faults.killsTheRefused = world.chance(2)
    switch world.below(6) {
    case 0: disk.faults = DiskFaults()
    case 1: disk.faults.read = 20
    case 2: disk.faults.write = 10
    case 3: disk.faults.sync = world.pick([3, 10])
    case 4: disk.faults.name = 15
    default:
      // What cleans up behind a failed sync fails, too.
      disk.faults.sync = 3
      disk.faults.name = 3
    }
    let faults = disk.faults
    if disk === server.disk, faults.sync > 0, faults.name + faults.read + faults.write > 0 {
      ledger.refusesCleanUp = true
    }
  }

  private func heal() {
    isHealed = true
    world.trace("from now on nothing breaks")
    for machine in [server] + clients { machine.disk.faults = DiskFaults() }
    for process in world.processes { process.crashPlan = nil }
    world.network.damage = 0
  }

  // MARK: The run

  private static let stepsMax = 400_000
  private static let secondsMax: UInt64 = 7200

  /// Returns what was broken, or nil.
  func run() -> String? {
    operators.append(addActor("operator") { [self] in startDaemon() })
    operators[0].time = world.now
    for script in scripts {
      script.actor = addActor("user") { [self] in runNext(script) }
      script.actor?.time = world.now + 1 + world.below(300_000_000)
    }
    mischief = addActor("mischief") { [self] in makeTrouble() }
    let deadline = world.now + Self.secondsMax * 1_000_000_000
    runUntil(deadline) { [self] in scripts.allSatisfy { $0.isDone && $0.process == nil } }
    checkEconomy()
    if world.failure == nil { end(deadline) }
    for process in world.processes { process.held = nil }
    return world.failure
  }

  private func runUntil(_ deadline: UInt64, _ isDone: () -> Bool) {
    while world.failure == nil, !isDone() {
      if !world.step() { return world.fail("nothing can happen any more, but not everything is done") }
      ledger.check()
      if world.steps > Self.stepsMax { return world.fail("it goes on and on") }
      if world.now > deadline { return world.fail("after two hours it is not done") }
    }
  }

  /// The daemon is asked to stop, then everything loses its power: what is promised must be there.
  private func end(_ deadline: UInt64) {
    if !isHealed { heal() }
    isStopping = true
    mischief?.time = nil
    mischief?.changes = nil
    operators[0].time = nil
    daemon?.send(signal: SignalWatcher.terminate)
    // Ghosts too let go of everything.
    runUntil(deadline) { [self] in world.processes.isEmpty }
    for machine in [server] + clients { machine.cutPower() }
    ledger.check()
  }

  /// When nothing but connections broke, a cut costs at most a block.
  private func checkEconomy() {
    guard scenario == .upload || scenario == .download, !troubles.isEmpty,
      troubles.allSatisfy({ [.cut, .sever, .stall].contains($0) }), damage == 0
    else { return }
    let path = ledger.paths[0]
    let size = path.versions.last?.size ?? 0
    let read = scenario == .upload ? world.network.bytesReadByServer : world.network.bytesReadByClients
    let messages = 8192 * (cuts + clientRuns + Int(world.network.connections)) + size / 500
    if read > size + cuts * Int(Limits.blockSize) + messages {
      world.fail("\(read) bytes arrived for a file of \(size), with \(cuts) cuts")
    }
  }

  var damage: UInt64 = 0 {
    didSet { world.network.damage = damage }
  }
}
