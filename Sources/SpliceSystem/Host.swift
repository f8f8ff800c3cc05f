// What identifies this machine and its current run, and its source of randomness.

internal import CPlatform

/// The machine that this process runs on.
package enum Host {
  /// The 16 bytes of this boot's random id; all zero where the kernel does not tell.
  package static func bootID() -> [UInt8] {
    var id = [UInt8](repeating: 0, count: 16)
    var digitCount = 0
    for byte in readSmall("/proc/sys/kernel/random/boot_id") {
      guard let digit = hexValue(byte) else { continue }
      if digitCount == 32 { break }
      id[digitCount / 2] = id[digitCount / 2] << 4 | digit
      digitCount += 1
    }
    return digitCount == 32 ? id : [UInt8](repeating: 0, count: 16)
  }

  /// The text of /etc/machine-id, or else the host's name; empty when there is neither. See machine-id(5).
  package static func id() -> [UInt8] {
    var text = readSmall("/etc/machine-id")
    while let last = text.last, last <= UInt8(ascii: " ") { text.removeLast() }
    return text.isEmpty ? hostName() : text
  }

  /// At most 255 bytes. The corresponding C function is `gethostname(2)`.
  package static func hostName() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
      count = max(0, Int(csplice_host_name(buffer.baseAddress, buffer.count)))
    }
  }

  /// Processors that this process may use, at least 1. The C function is `sched_getaffinity(2)`.
  package static func processorCount() -> Int { Int(csplice_processor_count()) }

  /// Fills `bytes` with unpredictable ones. The corresponding C function is `getrandom(2)`.
  package static func fillRandom(_ bytes: UnsafeMutableRawBufferPointer) throws(Errno) {
    try check(csplice_random(bytes.baseAddress, bytes.count))
  }

  private static func readSmall(_ path: StaticString) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 256) { buffer, count in
      count = max(0, Int(csplice_read_small(path.shimText, buffer.baseAddress, buffer.count)))
    }
  }

  private static func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
