// A simulated computer: its disk, its clocks, and its power.

package import SpliceBase

package final class Machine {
  package let name: String
  package let number: UInt64
  package let disk: Disk
  package private(set) var isUp = true
  package private(set) var bootID: [UInt8]
  private var bootedAt: UInt64
  /// Wall clock minus world clock, in nanoseconds.
  private var wallOffset: UInt64 = 1_700_000_000_000_000_000
  /// Stamps of files are multiples of this many nanoseconds, as the kernel's coarse clock makes them.
  package var stampTick: UInt64 = 1
  /// After a power cut the wall clock may be wrong by up to so many seconds: boards have no battery.
  package var clockJump: UInt64 = 0

  package init(_ name: String, number: UInt64, world: World) {
    self.name = name
    self.number = number
    bootedAt = world.now - 3_000_000_000
    bootID = Self.makeBootID(world)
    disk = Disk(device: number)
  }

  private static func makeBootID(_ world: World) -> [UInt8] {
    (0..<16).map { _ in UInt8(truncatingIfNeeded: world.random.next()) }
  }

  private func timestamp(_ nanoseconds: UInt64) -> Timestamp {
    Timestamp(
      seconds: Int64(nanoseconds / 1_000_000_000), nanoseconds: UInt32(nanoseconds % 1_000_000_000))
  }

  package var wallNow: Timestamp { timestamp(World.current.now + wallOffset) }
  package var bootTime: Timestamp { timestamp(bootedAt + wallOffset) }
  /// What the kernel would write into an inode now.
  package var stampNow: Timestamp {
    let now = World.current.now + wallOffset
    return timestamp(now - now % stampTick)
  }

  /// Everything that runs here dies, and the disk keeps only what it must.
  package func cutPower() {
    guard isUp else { return }
    let world = World.current
    isUp = false
    for process in world.processes where process.machine === self { process.becomeGhost(isSilent: true) }
    disk.cutPower(world)
    world.trace("\(name) has no power")
  }

  package func boot() {
    guard !isUp else { return }
    let world = World.current
    isUp = true
    bootedAt = world.now
    bootID = Self.makeBootID(world)
    if clockJump > 0 {
      let jump = world.below(2 * clockJump * 1_000_000_000)
      wallOffset = wallOffset &+ jump &- clockJump * 1_000_000_000
    }
    world.trace("\(name) boots")
  }
}
