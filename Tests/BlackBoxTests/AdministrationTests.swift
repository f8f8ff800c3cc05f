// SPDX-License-Identifier: Apache-2.0
// The control socket: who is connected, who has to go, what is half done, and the end.

import Foundation
import Testing

@Suite struct AdministrationTests {
  /// A transfer that stands still in its middle, so that there is something to look at.
  private func stalled(_ trial: Trial, _ route: Route = .put, _ arguments: [RawString] = []) throws -> (
    Transfer, ChildProcess
  ) {
    let transfer = try Transfer(trial, route, size: 32 * blockSize, daemonArguments: arguments)
    transfer.proxy.strike(.hold, after: 5 * blockSize, transfer.payload)
    let process = try transfer.start()
    #expect(transfer.proxy.isHeld(before: process), trial.note())
    #expect(eventually { sessions(transfer).contains { ($0["done"] as? Int ?? 0) > 0 } }, trial.note())
    return (transfer, process)
  }

  private func splice(_ transfer: Transfer, _ arguments: [RawString]) throws -> ClientRun {
    try transfer.client.run([arguments[0], "--control", transfer.daemon.root] + arguments.dropFirst())
  }

  private func objects(_ run: ClientRun) -> [[String: Any]] {
    run.outputText.split(separator: "\n").compactMap {
      (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
    }
  }

  private func sessions(_ transfer: Transfer) -> [[String: Any]] {
    (try? splice(transfer, ["sessions", "--json"])).map(objects) ?? []
  }

  @Test(arguments: Route.allCases)
  func sessionsShowWhoDoesWhat(_ route: Route) throws {
    try withTrial("\(#function) \(route)") { trial in
      let (transfer, process) = try stalled(trial, route)
      let all = sessions(transfer)
      #expect(all.count == 1, trial.note())
      let session = try #require(all.first)
      #expect(session["doing"] as? String == (route == .put ? "uploading" : "downloading"))
      #expect(session["path"] as? String == "file.bin")
      #expect(session["size"] as? Int == transfer.size)
      #expect((session["address"] as? String)?.hasPrefix("127.0.0.1:") == true)
      #expect(session["id"] as? Int ?? 0 > 0)
      let table = try splice(transfer, ["sessions"])
      #expect(table.outputText.contains("file.bin"), trial.note(table))
      process.killNow()
    }
  }

  /// The one that is meant goes, is told why, does not come back by itself, and can go on later.
  @Test func kickedClientEndsAndCanResume() throws {
    try withTrial { trial in
      let (transfer, process) = try stalled(trial)
      let id = try #require(sessions(transfer).first?["id"] as? Int)
      let kick = try splice(transfer, ["kick", "\(id)"])
      #expect(kick.status == 0, trial.note(kick))
      #expect(eventually { sessions(transfer).allSatisfy { $0["id"] as? Int != id } }, trial.note())
      let run = try ClientRun(process)
      #expect(run.status == 75, trial.note(run))
      #expect(
        eventually { transfer.daemon.process.standardError.contains("kicked by the administrator") }, trial.note())
      transfer.proxy.release()
      #expect(try transfer.finish().resumedFrom > 0, trial.note())
    }
  }

  /// Where nothing holds an upload back, the pool reads its socket, and has to let go of it in the middle.
  @Test(arguments: ["kick", "SIGTERM"])
  func uploadAtFullSpeedIsInterrupted(_ way: String) throws {
    try withTrial("\(#function) \(way)") { trial in
      let transfer = try Transfer(trial, .put, size: 128 * blockSize)
      var interruptions = 0
      for megabytes in [10, 50, 90] {
        let process = try transfer.start()
        #expect(
          eventually { transfer.storedSize() >= megabytes * blockSize || !process.isRunning }, trial.note())
        if way == "kick" {
          for session in sessions(transfer) { _ = try splice(transfer, ["kick", "\(session["id"] as? Int ?? 0)"]) }
        } else {
          #expect(try transfer.daemon.terminate() == .exited(0), trial.note())
        }
        let run = try ClientRun(process)
        #expect(run.status == 75 || run.status == 0, trial.note(run))
        if run.status == 75 { interruptions += 1 }
        if way == "SIGTERM" {
          try transfer.daemon.restart()
          transfer.proxy.redirect(to: transfer.daemon)
        }
      }
      #expect(interruptions > 0, trial.note())
      try transfer.finish()
    }
  }

  @Test func nobodyIsKickedByAWrongNumber() throws {
    try withTrial { trial in
      let (transfer, process) = try stalled(trial)
      let kick = try splice(transfer, ["kick", "4000000000"])
      #expect(kick.status == 1 && kick.error.contains("no client has this id"), trial.note(kick))
      #expect(sessions(transfer).count == 1)
      process.killNow()
    }
  }

  @Test func partialsAreShownAndRemoved() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 8 * blockSize)
      try transfer.breakInTheMiddle()
      #expect(
        eventually { (try? splice(transfer, ["partials", "--json"])).map(objects)?.first?["active"] as? Bool == false },
        trial.note())
      let partial = try #require(objects(try splice(transfer, ["partials", "--json"])).first)
      #expect(partial["path"] as? String == "file.bin")
      #expect(partial["size"] as? Int == transfer.size)
      #expect(partial["received"] as? Int == transfer.storedSize())
      #expect((partial["from"] as? String)?.hasPrefix("127.0.0.1:") == true)
      let removal = try splice(transfer, ["partials", "--remove", "file.bin"])
      #expect(removal.status == 0, trial.note(removal))
      #expect(transfer.daemon.staged("").isEmpty, trial.note())
      let again = try splice(transfer, ["partials", "--remove", "file.bin"])
      #expect(again.status == 1, trial.note(again))
    }
  }

  /// Draining waits for the transfer, takes nobody new, and ends by itself.
  @Test func drainEndsWithTheLastTransfer() throws {
    try withTrial { trial in
      let (transfer, process) = try stalled(trial)
      let drain = try splice(transfer, ["drain"])
      #expect(drain.status == 0 && drain.outputText.contains("under way: 1"), trial.note(drain))
      let late = try transfer.client.transfer("put", [transfer.source, transfer.daemon.url("other.bin")])
      #expect(late.status == 75, trial.note(late))
      #expect(transfer.daemon.process.isRunning)
      transfer.proxy.release()
      let run = try ClientRun(process)
      #expect(run.status == 0, trial.note(run))
      #expect(try transfer.daemon.process.wait() == .exited(0), trial.note())
      #expect(try Files.difference(transfer.source, transfer.target) == nil)
    }
  }

  /// The transfer that a drain waits for ends by its client's leaving, in the middle.
  @Test func drainEndsWhenTheLastClientLeaves() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      // Much more than lies in sockets and queues.
      try Files.write([UInt8](repeating: 7, count: 64 << 20), to: daemon.root / "file")
      let client = try trial.client()
      var peer: WirePeer? = try WirePeer(to: daemon)
      _ = peer?.want("file", starts: true)
      _ = try peer?.expect(.give)
      #expect(try client.run(["drain", "--control", daemon.root]).status == 0, trial.note())
      #expect(daemon.process.isRunning, trial.note())
      peer = nil
      #expect(try daemon.process.wait() == .exited(0), trial.note())
    }
  }

  @Test func secondDrainEndsAtOnceAndKeepsWhatCame() throws {
    try withTrial { trial in
      let (transfer, process) = try stalled(trial)
      #expect(try splice(transfer, ["drain"]).status == 0)
      #expect(transfer.daemon.process.isRunning)
      #expect(try splice(transfer, ["drain"]).status == 0)
      #expect(try transfer.daemon.process.wait() == .exited(0), trial.note())
      process.killNow()
      #expect(transfer.storedSize() > 0)
      try transfer.daemon.restart()
      transfer.proxy.redirect(to: transfer.daemon)
      transfer.proxy.release()
      #expect(try transfer.finish().resumedFrom > 0, trial.note())
    }
  }

  @Test(arguments: ["reload", "SIGHUP"])
  func newLimitsHoldWithoutARestart(_ way: String) throws {
    try withTrial("\(#function) \(way)") { trial in
      let options = trial.newPath("options")
      try Files.write(Array("# limits\nmax-connections = 5\n".utf8), to: options)
      let daemon = try trial.daemon(["--options", options])
      let client = try trial.client()
      try Files.write(Array("max-connections 1\n".utf8), to: options)
      if way == "reload" {
        let reload = try client.run(["reload", "--control", daemon.root])
        #expect(reload.status == 0, trial.note(reload))
      } else {
        daemon.process.send(SIGHUP)
        #expect(eventually { daemon.process.standardError.contains("the limits are those") }, trial.note())
      }
      let holder = try RawPeer(to: daemon.port)
      #expect(eventually { daemon.process.standardError.contains("connected") })
      let refused = try client.run(["ls", daemon.url("")])
      #expect(refused.status != 0 && refused.error.contains("busy"), trial.note(refused))
      withExtendedLifetime(holder) {}

      try Files.write(Array("max-connections none\n".utf8), to: options)
      let wrong = try client.run(["reload", "--control", daemon.root])
      #expect(wrong.outputText.contains("left as they are"), trial.note(wrong))
    }
  }

  @Test func oneAddressHasItsOwnLimit() throws {
    try withTrial { trial in
      let daemon = try trial.daemon(["--max-per-address", "1", "--listen", "[::1]:0"])
      let holder = try RawPeer(to: daemon.port)
      #expect(eventually { daemon.process.standardError.contains("connected") })
      let client = try trial.client()
      let refused = try client.run(["ls", daemon.url("")])
      #expect(refused.status != 0 && refused.error.contains("busy"), trial.note(refused))
      withExtendedLifetime(holder) {}
    }
  }

  @Test func transfersHaveALimit() throws {
    try withTrial { trial in
      let (transfer, process) = try stalled(trial, .put, ["--max-transfers", "1"])
      let refused = try transfer.client.transfer("put", [transfer.source, transfer.daemon.url("other.bin")])
      #expect(refused.status == 75 && refused.error.contains("transfers"), trial.note(refused))
      transfer.proxy.release()
      #expect(try ClientRun(process).status == 0, trial.note())
      let served = try transfer.client.transfer(
        "put", retryFor: 30, [transfer.source, transfer.daemon.url("other.bin")])
      #expect(served.status == 0, trial.note(served))
    }
  }

  /// 4 MiB at 2 MiB a second take two seconds, less what may come at once; twice that is no failure on a busy
  /// machine, less than that is one.
  @Test(arguments: ["--limit-rate", "--limit-client-rate"], Route.allCases)
  func rateHasALimit(_ option: String, _ route: Route) throws {
    try withTrial("\(#function) \(option) \(route)") { trial in
      let transfer = try Transfer(trial, route, size: 4 * blockSize, daemonArguments: [RawString(option), "2MiB"])
      let begin = ContinuousClock.now
      try transfer.finish()
      #expect(begin.duration(to: .now) > .milliseconds(1700), trial.note())
    }
  }

  /// Slow ones, too: nothing is sent or read in advance.
  @Test(arguments: [(4 * blockSize, RawString("2MiB")), (12 << 10, "6KiB")], Route.allCases)
  func clientLimitsItsRate(_ amount: (size: Int, rate: RawString), _ route: Route) throws {
    try withTrial("\(#function) \(amount.size) \(route)") { trial in
      let transfer = try Transfer(trial, route, size: amount.size, clientOptions: ["--limit-rate", amount.rate])
      let begin = ContinuousClock.now
      try transfer.finish()
      #expect(begin.duration(to: .now) > .milliseconds(1700), trial.note())
    }
  }

  /// The daemon has handed over everything long before it is read, and must not take that for silence.
  @Test func slowReaderIsNotSilent() throws {
    try withTrial { trial in
      let transfer = try Transfer(
        trial, .get, size: 40 << 10, daemonArguments: ["--idle-timeout", "6"], clientOptions: ["--limit-rate", "4KiB"])
      try transfer.finish()
      #expect(!transfer.daemon.process.standardError.contains("silent"), trial.note())
    }
  }

  @Test func roomIsLeftFree() throws {
    try withTrial { trial in
      let disk = try trial.disk("64m")
      let daemon = try trial.daemon(["--min-free", "40MiB"], root: disk.path, under: disk.prefix)
      let client = try trial.client()
      let large = try trial.sample(30 * blockSize)
      let refused = try client.transfer("put", [large, daemon.url("large")])
      #expect(refused.status == 75 && refused.error.contains("no space"), trial.note(refused))
      let small = try client.transfer("put", [try trial.sample(10 * blockSize), daemon.url("small")])
      #expect(small.status == 0, trial.note(small))
    }
  }

  /// An administrator who does not go away does not keep the daemon.
  @Test func stoppedOnlookerDoesNotKeepTheDaemon() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let onlooker = try trial.client().start(["sessions", "--watch", "--control", daemon.root])
      defer { onlooker.killNow() }
      #expect(eventually { !onlooker.standardOutput.isEmpty }, trial.note())
      onlooker.send(SIGSTOP)
      #expect(try daemon.terminate() == .exited(0), trial.note())
    }
  }

  /// The socket lets its owner in only, and a killed daemon's does not stand in the way of the next.
  @Test func controlSocketIsPrivateAndReplaced() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let socket = daemon.root / ".splice/control"
      #expect(try Files.status(of: socket).st_mode & 0o777 == 0o600)
      try daemon.restart()
      #expect(try trial.client().run(["sessions", "--control", socket]).status == 0)
      #expect(try daemon.terminate() == .exited(0))
      #expect(!Files.exists(socket))
    }
  }
}
