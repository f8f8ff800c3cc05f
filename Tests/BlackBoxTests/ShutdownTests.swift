// SPDX-License-Identifier: Apache-2.0
// Orderly ends: SIGTERM to the daemon, SIGINT to the client, and one daemon to a root.

import Glibc
import Testing

@Suite struct ShutdownTests {
  /// SIGTERM in the middle of a transfer: exit 0, and the next daemon lets it go on.
  @Test(arguments: Route.allCases)
  func terminatedDaemonKeepsThePartial(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: 12 * blockSize)
      transfer.proxy.strike(.hold, after: 6 * blockSize, transfer.payload)
      let client = try transfer.start()
      #expect(transfer.proxy.isHeld(before: client), trial.note())
      #expect(try transfer.daemon.terminate() == .exited(0), trial.note())
      let log = transfer.daemon.process.standardError
      if route == .put {
        let kept = transfer.storedSize()
        #expect(log.contains("unfinished: 'file.bin', \(kept) of \(transfer.size) bytes"), trial.note())
        #expect(log.contains("stopped; unfinished uploads that can be resumed: 1, with \(kept) bytes"), trial.note())
      } else {
        #expect(log.contains("stopped; unfinished uploads that can be resumed: 0, with 0 bytes"), trial.note())
      }
      transfer.proxy.release()
      let broken = try ClientRun(client)
      #expect(broken.status == 75, trial.note(broken))
      try transfer.daemon.restart()
      transfer.proxy.redirect(to: transfer.daemon)
      #expect(try transfer.finish().resumedFrom > 0, trial.note())
    }
  }

  /// SIGINT in the middle of a transfer, on a link that has stopped: exit 130 soon, and resumable.
  @Test(arguments: Route.allCases)
  func interruptedClientIsResumable(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: 12 * blockSize)
      transfer.proxy.strike(.hold, after: 6 * blockSize, transfer.payload)
      let client = try transfer.start(retryFor: 600)
      #expect(transfer.proxy.isHeld(before: client), trial.note())
      client.send(SIGINT)
      let interrupted = try ClientRun(client)
      #expect(interrupted.status == 130, trial.note(interrupted))
      transfer.proxy.release()
      #expect(try transfer.finish().resumedFrom > 0, trial.note())
    }
  }

  /// SIGTERM to an idle daemon: exit 0 soon, also while a silent connection is open.
  @Test func idleDaemonStops() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let peer = try RawPeer(to: daemon.port)
      daemon.process.send(SIGTERM)
      #expect(try daemon.process.wait(seconds: 10) == .exited(0), trial.note())
      #expect(peer.readUntilClosed(within: 10) != nil, trial.note())
    }
  }

  /// A second daemon on the same root is refused, and the first one goes on.
  @Test func secondDaemonOnTheSameRootIsRefused() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let second = try ChildProcess(Binaries.daemon() + ["--listen", "127.0.0.1:0", daemon.root])
      #expect(try second.wait(seconds: 10) == .exited(1), trial.note(second.standardError))
      #expect(second.standardError.contains(daemon.root.description), trial.note(second.standardError))
      let run = try trial.client().transfer("put", [trial.sample(1000), daemon.url("file.bin")])
      #expect(run.status == 0, trial.note(run))
    }
  }

  /// A root that is not there, or is a file, is named in one line.
  @Test func wrongRootIsNamed() throws {
    try withTrial { trial in
      for root in [trial.folder / "no such root", try trial.sample(10, "a file")] {
        let process = try ChildProcess(Binaries.daemon() + ["--listen", "127.0.0.1:0", root])
        #expect(try process.wait(seconds: 10) == .exited(1), trial.note(process.standardError))
        let lines = process.standardError.split(separator: "\n")
        #expect(lines.count == 1 && process.standardError.contains(root.description), trial.note(process.standardError))
      }
    }
  }
}
