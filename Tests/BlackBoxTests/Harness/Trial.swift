// SPDX-License-Identifier: Apache-2.0
// The frame of every test: a folder of its own, seeded chance, and the end of all that it started.

import Foundation
import Glibc
import Testing

/// What one test works with. It owns every process and proxy that it hands out, until `withTrial` ends them.
final class Trial {
  let folder: RawString
  var random: SeededRandom
  private var daemons: [Daemon] = []
  private var proxies: [CutProxy] = []
  private var fakes: [FakeServer] = []
  private var disks: [TinyDisk] = []
  private var nameCount = 0

  fileprivate init(_ name: String) throws {
    random = SeededRandom(test: name)
    let template = RawString(URL(fileURLWithPath: NSTemporaryDirectory()).path) / "splice-test-XXXXXX"
    let path = template.withCString { strdup($0)! }
    defer { free(path) }
    guard mkdtemp(path) != nil else { throw Failure.system("mkdtemp", on: template) }
    folder = RawString(terminated: path)
  }

  /// What a failed expectation adds: how to repeat it, and what the daemons said.
  func note(_ more: String = "") -> Comment {
    let logs = daemons.map { "spliced: " + $0.process.standardError.suffix(1500) }.joined(separator: "\n")
    return Comment(rawValue: "SPLICE_SEED=\(SeededRandom.runSeed)\n\(more)\n\(logs)")
  }

  func note(_ run: ClientRun) -> Comment { note(run.description) }

  /// A path in the test's folder that nothing else uses.
  func newPath(_ name: RawString) -> RawString {
    nameCount += 1
    return folder / "\(nameCount)-\(name)"
  }

  /// Lets a daemon that runs as another user come in.
  func openToEverybody() throws {
    try checked(folder.withCString { chmod($0, 0o777) }, "chmod", on: folder)
  }

  func newFolder(_ name: RawString) throws -> RawString {
    let path = newPath(name)
    try Files.makeFolder(path)
    return path
  }

  /// A new file of random bytes.
  func sample(_ size: Int, _ name: RawString = "source") throws -> RawString {
    let path = newPath(name)
    try Files.writeRandom(size, to: path, using: &random)
    return path
  }

  /// A daemon on a fresh root, or on the given one.
  func daemon(
    _ arguments: [RawString] = [], root: RawString? = nil, listen: RawString = "127.0.0.1:0",
    under prefix: [RawString] = []
  ) throws -> Daemon {
    let daemon = try Daemon(
      root: root ?? newFolder("root"), portFile: newPath("port"), listen: listen, arguments, under: prefix)
    daemons.append(daemon)
    return daemon
  }

  func proxy(to daemon: Daemon) throws -> CutProxy {
    let proxy = try CutProxy(to: daemon)
    proxies.append(proxy)
    return proxy
  }

  func fakeServer(_ serve: @escaping @Sendable (FakeConnection) -> Void) throws -> FakeServer {
    let fake = try FakeServer(serve)
    fakes.append(fake)
    return fake
  }

  /// A client with a new home and a new folder for what it fetches.
  func client(under prefix: [RawString] = []) throws -> Client {
    Client(home: try newFolder("home"), folder: try newFolder("local"), prefix: prefix)
  }

  func disk(_ size: RawString) throws -> TinyDisk {
    let disk = try TinyDisk(at: newPath("disk"), size: size)
    disks.append(disk)
    return disk
  }

  /// Ends everything. A daemon that is still there must stop cleanly when asked to.
  fileprivate func end() {
    for proxy in proxies { proxy.stop() }
    for fake in fakes { fake.stop() }
    for daemon in daemons where daemon.process.isRunning {
      let ending = try? daemon.terminate()
      #expect(ending == .exited(0), note("SIGTERM at the end of the test"))
    }
    for disk in disks { disk.end() }
    try? FileManager.default.removeItem(atPath: folder.description)
  }
}

/// Runs a test in a folder of its own, and ends what it started however it comes out.
func withTrial(_ name: String = #function, _ body: (Trial) throws -> Void) throws {
  let trial = try Trial(name)
  defer { trial.end() }
  do {
    try body(trial)
  } catch {
    Issue.record(error, trial.note())
  }
}
