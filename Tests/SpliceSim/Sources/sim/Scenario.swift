// What the users of one world want, drawn by its seed.

internal import SpliceBase
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceUV

enum Scenario: String, CaseIterable {
  case upload
  case overwrite
  case changingSource
  case savedAgain
  case twoVersions
  case download
  case replacedDownload
  case uploadAndDownload
  case smallFiles
  case twoClients
  case duplicateClient
  case roundTrip
  case dirtyLink
  case weakDisk
  case liar

  func prepare(_ trial: Trial) {
    drawTroubles(trial)
    let world = trial.world
    let machine = trial.clients[0]
    let version = trial.makeVersion(size: trial.drawSize())
    // Into folders that nobody has made yet, too.
    let name = world.chance(3) ? "d/e/a" : "a"
    let put = Command(.put, [Command.Item(local: "src/a", remote: name)])
    let get = Command(.get, [Command.Item(local: world.chance(3) ? "dst/n/m/a" : "dst/a", remote: name)])
    switch self {
    case .upload:
      trial.addSource(version, name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put])]
    case .overwrite:
      trial.addServed(trial.makeVersion(size: trial.drawSize()), name)
      trial.addSource(version, name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put])]
    case .changingSource:
      trial.addSource(version, name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put])]
      change(trial, version, times: 1 + Int(world.below(3))) { new, inPlace in
        if put.isDone { return }
        trial.addSource(new, name, at: "src/a", on: machine, inPlace: inPlace)
      }
    case .savedAgain: savedAgain(trial, put)
    case .twoVersions:
      trial.addSource(version, name, at: "src/a", on: machine)
      let second = Command(.put, put.items)
      second.preparation = { [unowned trial, unowned second] in
        if second.runs > 0 { return }
        trial.addSource(trial.makeVersion(size: trial.drawSize(), after: version), name, at: "src/a", on: machine)
      }
      trial.scripts = [Trial.Script(machine, [put, second])]
    case .download:
      trial.addServed(version, name)
      trial.scripts = [Trial.Script(machine, [get])]
    case .replacedDownload:
      trial.addServed(version, name)
      trial.scripts = [Trial.Script(machine, [get])]
      change(trial, version, times: 1 + Int(world.below(3))) { new, inPlace in
        if get.isDone { return }
        trial.addServed(new, name, inPlace: inPlace)
      }
    case .uploadAndDownload:
      trial.addServed(trial.makeVersion(size: trial.drawSize()), name)
      trial.addSource(version, name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put]), Trial.Script(trial.clients[1], [get])]
    case .smallFiles: smallFiles(trial, machine)
    case .twoClients:
      trial.addSource(version, name, at: "src/a", on: machine)
      let other = trial.makeVersion(size: trial.drawSize(), after: world.chance(2) ? version : nil)
      trial.addSource(other, name, at: "src/a", on: trial.clients[1])
      trial.scripts = [
        Trial.Script(machine, [put]), Trial.Script(trial.clients[1], [Command(.put, put.items)]),
      ]
    case .duplicateClient:
      trial.addSource(version, name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put])]
      let twin = trial.addActor("twin") {
        if machine.isUp, !put.isDone { trial.start(put, on: machine) { _ in } }
      }
      twin.time = world.now + 1 + world.below(600_000_000)
      twin.changes = 5 + Int(world.below(80))
    case .liar:
      if world.chance(2) { trial.addServed(trial.makeVersion(size: trial.drawSize()), name) }
      trial.addSource(version, name, at: "src/a", on: machine)
      trial.scripts = [
        Trial.Script(machine, [put]), Trial.Script(trial.clients[1], [Command(.lie, put.items)]),
      ]
    case .roundTrip:
      trial.addSource(version, name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put, get])]
    case .dirtyLink:
      // Blocks are missing while others come in behind them and are checkpointed.
      trial.addSource(trial.makeVersion(size: (2 << 20) + Int(world.below(4 << 20))), name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put, get])]
      trial.damage = world.pick([5, 10, 30])
      trial.configuration.checkpointBytes = world.pick([64 << 10, 300 << 10, 1 << 20])
      world.network.capacity = world.pick([256 << 10, 4 << 20])
    case .weakDisk:
      trial.addSource(trial.makeVersion(size: weakDisk(trial)), name, at: "src/a", on: machine)
      trial.scripts = [Trial.Script(machine, [put, get])]
    }
  }

  private func drawTroubles(_ trial: Trial) {
    let world = trial.world
    trial.troublesLeft = Int(world.below(9))
    trial.troubleGap = world.pick([3, 10, 30])
    if (self == .upload || self == .download) && world.chance(3) {
      trial.troubles = [.cut, .sever, .stall]
      return
    }
    if (self == .download || self == .roundTrip) && world.chance(3) {
      // What is fetched has come, and the link is gone again, when it turns out that there is no room for it.
      haveSlowDisks(trial)
      trial.clients[0].disk.faults.isFull = true
      trial.troubles = [.cut, .cut, .fillClientDisk]
      trial.troublesLeft = 4 + Int(world.below(9))
      trial.troubleGap = 10
      return
    }
    switch world.below(8) {
    case 0, 6:
      // Power that goes again and again, while much is on its way to the disk.
      trial.troubles = [.cutServerPower, .cutServerPower, .cutClientPower]
      if world.chance(2) { trial.troubles.append(.killServer) }
      trial.troublesLeft += 3
      trial.configuration.checkpointBytes = world.pick([300 << 10, 2 << 20, 64 << 20])
      trial.configuration.checkpointMilliseconds = 5000
      return
    case 1:
      failDisks(trial)
      return
    case 2...5 where self == .smallFiles:
      // Files are committed together; one of them fails, and somebody else may have been told.
      failDisks(trial)
      return
    default: break
    }
    trial.troubles = Trouble.allCases.filter { _ in world.chance(3) }
    if world.chance(4) { trial.damage = world.pick([10, 40]) }
  }

  /// A disk refuses a sync now and then, and whoever asked for it is killed while it cleans up. Returns the size of a
  /// file for it: short ones have no journal.
  private func weakDisk(_ trial: Trial) -> Int {
    let world = trial.world
    trial.troubles = [.failServerDisk, .failClientDisk, .killServer, .cut, .cut]
    trial.troublesLeft = 3 + Int(world.below(9))
    trial.configuration.checkpointBytes = world.pick([64 << 10, 300 << 10])
    switch world.below(4) {
    case 0: return 1 + Int(world.below(Limits.blockSize))
    case 1: return trial.drawSize()
    default:
      // Each block is checkpointed as soon as it is recorded, when the journal speaks for all of the file. Whatever
      // else breaks an upload leaves a part of a block, of which the journal does not know; so does a sender that is
      // faster than the link. And what one refusal has broken the next one may mend.
      trial.troubles = [.failServerDisk, .failServerDisk, .failClientDisk]
      trial.troublesLeft = 1 + Int(world.below(3))
      trial.troubleGap = 30
      trial.configuration.checkpointBytes = Limits.blockSize
      trial.configuration.checkpointMilliseconds = 5000
      haveSlowDisks(trial)
      return Int((2 + world.below(4)) * Limits.blockSize + world.below(2) * world.below(Limits.blockSize))
    }
  }

  /// With a fast link between them.
  private func haveSlowDisks(_ trial: Trial) {
    PoolRequest.patience = 30_000_000
    trial.world.network.latency = 50_000
    trial.world.network.slowness = 500
    trial.world.network.capacity = 1 << 20
  }

  /// Disks that fail and recover.
  private func failDisks(_ trial: Trial) {
    trial.troubles = [.failServerDisk, .failServerDisk, .failClientDisk, .killServer]
    trial.troublesLeft += 3
    // Long enough for many files to come together.
    trial.troubleGap = trial.world.pick([10, 30, 100])
  }

  /// Somebody writes a new version, as a program that saves: by a rename or into the file itself.
  private func change(
    _ trial: Trial, _ first: Version, times: Int, _ store: @escaping (Version, _ inPlace: Bool) -> Void
  ) {
    let world = trial.world
    var last = first
    var left = times
    var actor: Actor?
    actor = trial.addActor("editor") {
      left -= 1
      last = trial.makeVersion(size: world.chance(2) ? last.size : trial.drawSize(), after: last)
      store(last, world.chance(2))
      if left > 0 { schedule() }
    }
    func schedule() {
      // Far enough apart that the coarsest clock gives each version a time of its own.
      actor?.time = world.now + 20_000_000 + world.below(2_000_000_000)
    }
    schedule()
  }

  /// Each run finds a source that was saved since the last one, with the same end or another. So the journal is written
  /// anew with all that a kill has left, and a power cut takes back what no checkpoint covers. Some users break off
  /// before anything is sent.
  private func savedAgain(_ trial: Trial, _ put: Command) {
    let world = trial.world
    let item = put.items[0]
    let size = Int((4 + world.below(3)) * Limits.blockSize)
    var last: Version?
    put.preparation = { [unowned trial] in
      let otherEnd = Int(world.below(2) * world.below(70_000))
      let version = trial.makeVersion(size: size, after: last, sharing: size - otherEnd)
      trial.addSource(version, item.remote, at: item.local, on: trial.clients[0])
      last = version
    }
    trial.scripts = [Trial.Script(trial.clients[0], [put])]
    put.isImpatient = true
    trial.retrySeconds = [0]
    trial.troubles = [.killServer, .cutServerPower]
    trial.troublesLeft = 4 + Int(world.below(8))
    trial.troubleGap = world.pick([30, 100])
    // Whole blocks come behind what is durable.
    trial.configuration.checkpointBytes = 2 * Limits.blockSize
    trial.configuration.checkpointMilliseconds = 5000
  }

  private func smallFiles(_ trial: Trial, _ machine: Machine) {
    let world = trial.world
    // They come faster than the disk takes them, so that they are committed together.
    let isCrowd = world.chance(2)
    if isCrowd {
      haveSlowDisks(trial)
      if world.chance(2) {
        // One of so many writes breaks, and that from the beginning: who commits them together has to find out.
        trial.server.disk.faults.sync = world.pick([10, 20])
        trial.troubles = [.failServerDisk]
        trial.troublesLeft = 1 + Int(world.below(2))
        trial.troubleGap = 300
      }
    }
    var items: [Command.Item] = []
    for index in 0...((isCrowd ? 8 : 3) + world.below(isCrowd ? 11 : 16)) {
      let name = "s\(index)"
      let isLong = world.chance(isCrowd ? 20 : 5)
      let size = isLong ? trial.drawSize() : Int(world.below(20_000))
      let version = trial.makeVersion(size: size)
      trial.addSource(version, name, at: "src/" + name, on: machine)
      items.append(Command.Item(local: "src/" + name, remote: name))
    }
    let back = items.map { Command.Item(local: "dst/" + $0.remote, remote: $0.remote) }
    var commands = [Command(.put, items)]
    if world.chance(2) { commands.append(Command(.get, back)) }
    trial.scripts = [Trial.Script(machine, commands)]
  }
}
