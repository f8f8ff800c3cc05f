// Landlock at work: on threads of their own, because the kernel confines a thread and not the process.

import CPlatform
import Foundation
import SpliceSystem
import TestFiles
import Testing

@Suite struct ConfinementTests {
  let temporary = TemporaryDirectory()

  /// False where this kernel has no Landlock, or too old a one.
  private static let isPossible: Bool = {
    nonisolated(unsafe) let temporary = TemporaryDirectory()
    return onItsOwnThread {
      do throws(Errno) {
        _ = try temporary.open().confineProcess(writing: false)
        return true
      } catch { return false }
    }
  }()

  /// A descriptor that resolves paths without any care, such as a fault of ours would use, gets nowhere.
  @Test(.enabled(if: isPossible))
  func nothingOutsideCanBeReached() {
    temporary.makeFile("outside.txt", "outside")
    temporary.makeDirectory("root")
    temporary.makeDirectory("root/sub")
    temporary.makeFile("root/file", "file")
    nonisolated(unsafe) let temporary = temporary
    onItsOwnThread {
      do throws(Errno) {
        let outside = try temporary.open(.anywhere)
        let root = try temporary.open("root", .anywhere)
        #expect(try root.confineProcess(writing: true) >= 2)

        for path in ["../outside.txt", "/etc/passwd", "/proc/self/status", "sub/../../outside.txt"] {
          #expect(throws: Errno.accessDenied) { try root.openFile(bytes(path), .read, permissions: 0) }
        }
        for (name, mode) in [("outside.txt", OpenMode.read), ("outside.txt", .readWrite), ("new", .create)] {
          #expect(throws: Errno.accessDenied) { try outside.openFile(bytes(name), mode, permissions: 0o600) }
        }
        #expect(throws: Errno.accessDenied) { try outside.remove(bytes("outside.txt")) }
        #expect(throws: Errno.accessDenied) { try PosixDirectory.open(bytes("/etc"), confined: false) }
        #expect(throws: Errno.self) {
          try root.rename(bytes("file"), to: outside, as: bytes("stolen"), replacing: false)
        }

        // What serving takes still works: make, write, rename across directories, remove.
        let sub = try root.openDirectory(bytes("sub"))
        let file = try root.openFile(bytes("made"), .create, permissions: 0o600)
        try file.truncate(to: 10)
        try root.rename(bytes("made"), to: sub, as: bytes("moved"), replacing: false)
        try sub.remove(bytes("moved"))
        _ = try root.makePath(bytes("a/b"), permissions: 0o755)
      } catch {
        Issue.record("\(error.name)")
      }
    }
  }

  @Test(.enabled(if: isPossible))
  func readOnlyFolderCannotBeWritten() {
    temporary.makeFile("file", "file")
    nonisolated(unsafe) let temporary = temporary
    onItsOwnThread {
      do throws(Errno) {
        let root = try temporary.open(.anywhere)
        _ = try root.confineProcess(writing: false)
        #expect(try root.openFile(bytes("file"), .read, permissions: 0).read(count: 9, at: 0) == bytes("file"))
        for (name, mode) in [("file", OpenMode.readWrite), ("new", .create)] {
          #expect(throws: Errno.accessDenied) { try root.openFile(bytes(name), mode, permissions: 0o600) }
        }
        #expect(throws: Errno.accessDenied) { try root.remove(bytes("file")) }
      } catch {
        Issue.record("\(error.name)")
      }
    }
  }

  @Test func accountsAreFoundByNameAndByNumber() throws {
    let text = bytes(
      "root:x:0:0:root:/root:/bin/sh\n\nbroken:x\nodd:x:12:x:\nsplice:x:1000:2000::/:\nlast:x:7:8:::")
    #expect(Account.find(bytes("root"), in: text) == Account(user: 0, group: 0))
    #expect(Account.find(bytes("splice"), in: text) == Account(user: 1000, group: 2000))
    #expect(Account.find(bytes("last"), in: text) == Account(user: 7, group: 8))
    for name in ["", "roo", "root:x", "broken", "odd", "nobody here"] {
      #expect(Account.find(bytes(name), in: text) == nil)
    }
    #expect(try Account.find(bytes("12:34")) == Account(user: 12, group: 34))
    #expect(try Account.find(bytes("root")) == Account(user: 0, group: 0))
    for name in ["4294967295:0", "1:2:3", "-1:0", "1:", "no such user"] {
      #expect(try Account.find(bytes(name)) == nil)
    }
  }

  /// The kernel's answer to somebody who is nobody: no way to another user, none needed to the present one.
  @Test func presentUserCanBeKept() throws {
    guard geteuid() != 0 else { return }
    try Account(user: geteuid(), group: getegid()).become()
    #expect(throws: Errno.permission) { try Account(user: 0, group: 0).become() }
  }

  /// Our own ceil(3) against libm's, at every exponent and around every whole number that a table size could be.
  @Test func ceilingIsThatOfLibm() {
    func compare(_ value: Double) {
      #expect(csplice_ceil(value).bitPattern == value.rounded(.up).bitPattern, "\(value)")
    }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let value = Double(bitPattern: random.next())
      if !value.isNaN { compare(value) }
    }
    for whole in 0..<4000 {
      for value in [Double(whole) * 4 / 3, Double(whole), Double(whole).nextUp, Double(whole).nextDown] {
        compare(value)
        compare(-value)
      }
    }
    for value in [0, .infinity, Double.leastNonzeroMagnitude, .greatestFiniteMagnitude] {
      compare(value)
      compare(-value)
    }
    #expect(csplice_ceil(.nan).isNaN)
  }
}

/// Runs `body` on a thread that ends with it, so that what it gave up concerns no other test.
private func onItsOwnThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
  let box = Box<Result>()
  let done = DispatchSemaphore(value: 0)
  Thread.detachNewThread {
    box.result = body()
    done.signal()
  }
  done.wait()
  return box.result!
}

private final class Box<Result>: @unchecked Sendable {
  var result: Result?
}
