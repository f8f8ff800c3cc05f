// The small rest of the seam: clocks, the machine's identity, the process, its standard streams.

package import SpliceBase

package enum SystemClock {
  package static func monotonicNow() -> Instant { Instant(milliseconds: World.current.now / 1_000_000) }
  package static func wallNow() -> Timestamp { here.wallNow }
  package static func bootTime() -> Timestamp { here.bootTime }
}

package enum Host {
  package static func bootID() -> [UInt8] { here.bootID }
  package static func id() -> [UInt8] { Array(here.name.utf8) }
  package static func hostName() -> [UInt8] { Array(here.name.utf8) }
  package static func processorCount() -> Int { 1 }
  package static func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
    for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: World.current.random.next()) }
  }
}

package enum Process {
  package static func environment(_ name: StaticString) -> [UInt8]? { nil }
  package static var userID: UInt32 { 1000 }
  package static func currentFolder() -> [UInt8] { [UInt8(ascii: "/")] }
  package static var id: UInt32 { World.current.process?.id ?? 0 }
  package static func ignoreBrokenPipeUnlessHandled() {}
  package static func descriptorLimit() -> Int { 1024 }
  package static func exit(_ status: Int32) -> Never { panic("a simulated process cannot call exit") }
}

package enum StandardError {
  package static func write(_ bytes: [UInt8]) {
    World.current.trace("  " + String(decoding: bytes.dropLast(), as: UTF8.self))
  }
}

private var here: Machine {
  guard let process = World.current.process else { panic("a system call outside of a process") }
  return process.machine
}
