// What the process and the machine say about themselves.

import Foundation
import Glibc
import SpliceBase
import SpliceSystem
import TestFiles
import Testing

@Suite struct ProcessTests {
  @Test func argumentsAreThoseOfTheRuntime() {
    #expect(SpliceSystem.Process.arguments == CommandLine.arguments.map { bytes($0) })
  }

  @Test func environmentTellsUnsetFromEmpty() {
    setenv("SPLICE_TEST_EMPTY", "", 1)
    setenv("SPLICE_TEST_VALUE", "some value", 1)
    #expect(SpliceSystem.Process.environment("SPLICE_TEST_EMPTY") == [])
    #expect(SpliceSystem.Process.environment("SPLICE_TEST_VALUE") == bytes("some value"))
    #expect(SpliceSystem.Process.environment("SPLICE_TEST_UNSET") == nil)
  }

  @Test func clocksAgreeWithEachOther() {
    let before = SystemClock.monotonicNow()
    let wall = SystemClock.wallNow()
    let boot = SystemClock.bootTime()
    #expect(SystemClock.monotonicNow() >= before)
    #expect(wall.seconds > 1_700_000_000)
    #expect(wall.nanoseconds < 1_000_000_000)
    #expect(boot.nanoseconds < 1_000_000_000)
    #expect(boot.seconds <= wall.seconds)
  }

  @Test func bootIDIsStableAndHas16Bytes() {
    #expect(Host.bootID().count == 16)
    #expect(Host.bootID() == Host.bootID())
    #expect(Host.bootID() != [UInt8](repeating: 0, count: 16))
  }

  @Test func hostIsIdentified() {
    #expect(!Host.id().isEmpty)
    #expect(!Host.id().contains(10))
    #expect(!Host.hostName().isEmpty)
    #expect(Host.processorCount() >= 1)
    #expect(SpliceSystem.Process.id == UInt32(getpid()))
    #expect(SpliceSystem.Process.userID == geteuid())
    var folder = [CChar](repeating: 0, count: 4096)
    #expect(getcwd(&folder, folder.count) != nil)
    #expect(SpliceSystem.Process.currentFolder() == folder.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
  }

  @Test func randomBytesDiffer() throws {
    var first = [UInt8](repeating: 0, count: 1000)
    var second = first
    try first.withUnsafeMutableBytes { try Host.fillRandom($0) }
    try second.withUnsafeMutableBytes { try Host.fillRandom($0) }
    #expect(first != second)
    #expect(first[990...].contains { $0 != 0 })
  }

  @Test func roomForDescriptorsIsMadeAndNoneIsTaken() throws {
    let count = min(2048, SpliceSystem.Process.descriptorLimit())
    SpliceSystem.Process.expectDescriptors(count)
    #expect(try descriptorRoom() >= count)
    #expect(fcntl(Int32(count) - 1, F_GETFD) == -1)
  }

  /// How many the kernel has room for.
  private func descriptorRoom() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("FDSize:") })
    return try #require(Int(line.dropFirst("FDSize:".count).trimmingCharacters(in: .whitespaces)))
  }

  @Test func descriptorLimitIsRaisedToTheHardOne() {
    var limit = rlimit()
    let raised = SpliceSystem.Process.raiseDescriptorLimit()
    let result = getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
    #expect(result == 0)
    let hard = Int(min(limit.rlim_max, rlim_t(Int32.max)))
    #expect(raised == hard)
  }

  @Test func fileIsNoTerminal() throws {
    let file = try PosixDirectory.open(bytes("/dev"), confined: false)
      .openFile(bytes("null"), .readWrite, permissions: 0)
    #expect(!Terminal.isTerminal(file.descriptor))
    #expect(Terminal.width(file.descriptor) == nil)
  }

  @Test func exitStatusIsTheOneGiven() async {
    await #expect(processExitsWith: .exitCode(42)) { SpliceSystem.Process.exit(42) }
  }
}

@Suite struct ErrnoTests {
  @Test func namesAreDistinctAndTheRestShareOne() {
    let known: [Errno] = [
      .permission, .noEntry, .interrupted, .inputOutput, .wouldBlock, .accessDenied, .exists, .crossDevice,
      .notDirectory, .isDirectory, .invalid, .tooManyOpenFiles, .noSpace, .readOnly, .brokenPipe,
      .nameTooLong, .notEmpty, .loop, .notSupported, .connectionReset, .timedOut, .connectionRefused,
      .inProgress, .quota,
    ]
    let names = Set(known.map { $0.name.description })
    #expect(names.count == known.count)
    #expect(!names.contains(Errno(rawValue: 9999).name.description))
  }
}
