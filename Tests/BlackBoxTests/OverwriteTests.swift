// SPDX-License-Identifier: Apache-2.0
// A name that exists already: the same content costs nothing, other content replaces it whole or not at all.

import Glibc
import Testing

@Suite struct OverwriteTests {
  /// Sends a file twice: the second time no byte moves, and the client says so.
  @Test(arguments: Route.allCases, [0, 1, 3 * blockSize + 1])
  func identicalFileMovesNothing(_ route: Route, size: Int) throws {
    try withTrial("\(#function) \(route.rawValue) \(size)") { trial in
      let transfer = try Transfer(trial, route, size: size)
      try transfer.finish()
      let before = transfer.proxy.passed(transfer.payload)
      let receipt = try transfer.finish()
      #expect(receipt.sent == 0, trial.note("\(receipt)"))
      #expect(transfer.proxy.passed(transfer.payload) - before < 64 << 10, trial.note("\(receipt)"))
      if route == .put {
        let plain = try transfer.client.run(["put", transfer.source, transfer.daemon.url("file.bin")])
        #expect(plain.status == 0, trial.note(plain))
        #expect((plain.outputText + plain.error).contains("already there"), trial.note(plain))
      }
    }
  }

  /// More files than the daemon bears open requests of one connection: it must be told of each that nothing more is
  /// wanted of it, whether it was fetched or only compared.
  @Test func manyFilesOfMoreThanABlockOnOneConnection() throws {
    try withTrial { trial in
      let daemon = try trial.daemon()
      let client = try trial.client()
      let names = (0..<140).map { "file \($0)" as RawString }
      try Files.makeFolder(daemon.root / "many")
      for name in names { try Files.write(trial.random.bytes(16) + zeros, to: daemon.root / "many" / name) }
      for isThere in [false, true] {
        let run = try client.transfer("get", ["-r", daemon.url("many"), client.folder + "/"])
        #expect(run.status == 0, trial.note(run))
        let receipts = try run.receipts()
        #expect(receipts.count == names.count && receipts.allSatisfy { $0.attempts == 1 }, trial.note(run))
        #expect(receipts.allSatisfy { $0.sent == (isThere ? 0 : $0.size) }, trial.note(run))
      }
    }
  }

  private let zeros = [UInt8](repeating: 0, count: blockSize)

  /// Breaks an overwrite: the old file stays byte for byte until the new one is complete.
  @Test(arguments: Route.allCases)
  func brokenOverwriteKeepsTheOldFile(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: 8 * blockSize)
      let old = trial.random.bytes(3 * blockSize + 17)
      try Files.write(old, to: transfer.target)
      transfer.proxy.strike(.reset, after: 4 * blockSize, transfer.payload)
      let broken = try transfer.run()
      #expect(broken.status == 75, trial.note(broken))
      let isKept = try Files.read(transfer.target) == old
      #expect(isKept, trial.note(broken))
      try transfer.finish()
    }
  }

  /// Modification time and permission bits arrive with the bytes.
  @Test(arguments: Route.allCases)
  func timeAndModeArrive(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: 1000)
      let times = [timespec(tv_sec: 1_600_000_000, tv_nsec: 0), timespec(tv_sec: 1_600_000_000, tv_nsec: 5_000_000)]
      _ = transfer.source.withCString { path in
        chmod(path, 0o750)
        return utimensat(AT_FDCWD, path, times, 0)
      }
      try transfer.finish()
      let status = try Files.status(of: transfer.target)
      #expect(status.st_mtim.tv_sec == 1_600_000_000, trial.note())
      #expect(status.st_mtim.tv_nsec == 5_000_000, trial.note())
      #expect(status.st_mode & 0o777 == 0o750, trial.note())
    }
  }
}
