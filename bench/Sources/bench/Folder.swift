// Files that the servers serve, in a folder that is removed at the end.

import CBench
import Foundation
import Glibc

/// Where one run of the benchmark keeps everything.
final class Folder {
  let path: String

  /// Below TMPDIR or /var/tmp, which is on a disk by convention; /tmp often is not.
  init() throws {
    let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp"
    var template = Array("\(parent)/splice-bench.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw BenchError("cannot make a folder in \(parent)") }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    // vsftpd serves as the user ftp.
    chmod(path, 0o755)
  }

  private init(at path: String) { self.path = path }

  func remove() { try? FileManager.default.removeItem(atPath: path) }

  /// A new, empty file system of its own in this folder: ext4 with a journal, as it is made by default. It goes with the
  /// benchmark, see `cbench_begin`.
  func makeDisk(_ name: String, bytes: Int) throws -> Folder {
    let image = try makeSparse(name + ".image", bytes: bytes)
    let disk = Folder(at: try makeFolder(name))
    try Program.run(["mkfs.ext4", "-q", "-F", image])
    do { try Program.run(["mount", "-o", "loop", image, disk.path]) } catch {
      throw BenchError("a file system of its own takes root: \(error)")
    }
    // vsftpd serves as the user ftp.
    chmod(disk.path, 0o755)
    return disk
  }

  /// Nobody may use it any more.
  func unmount() { try? Program.run(["umount", path]) }

  func file(_ name: String) -> String { path + "/" + name }

  func makeFolder(_ name: String) throws -> String {
    try FileManager.default.createDirectory(atPath: file(name), withIntermediateDirectories: true)
    return file(name)
  }

  /// A file of random bytes.
  func makeRandom(_ name: String, bytes: Int) throws -> String {
    let output = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard output >= 0 else { throw BenchError("cannot write \(file(name))") }
    defer { close(output) }
    // SplitMix64: quick, and good enough that nothing compresses or repeats.
    var state = UInt64(bytes) &+ 0x9E37_79B9_7F4A_7C15
    var block = [UInt64](repeating: 0, count: 1 << 17)
    var left = bytes
    while left > 0 {
      for index in block.indices {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        block[index] = value ^ (value >> 31)
      }
      let count = min(left, block.count * 8)
      guard block.withUnsafeBytes({ write(output, $0.baseAddress, count) }) == count else {
        throw BenchError("cannot write \(file(name)): the disk may be full")
      }
      left -= count
    }
    return file(name)
  }

  /// A file of zeros that takes no room.
  func makeSparse(_ name: String, bytes: Int) throws -> String {
    let output = open(file(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
    guard output >= 0, ftruncate(output, bytes) == 0 else { throw BenchError("cannot write \(file(name))") }
    close(output)
    return file(name)
  }

  /// What one measurement left dirty must not be written during the next.
  func settle() { _ = cbench_sync(path) }

  /// Drops a file, which must be clean, from the page cache.
  static func drop(_ path: String) throws {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    defer { close(file) }
    guard file >= 0, posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) == 0 else {
      throw BenchError("cannot drop \(path) from the page cache")
    }
  }

  /// Brings a file into the page cache.
  static func warm(_ path: String) throws { try Program.run(["cat", path]) }
}
