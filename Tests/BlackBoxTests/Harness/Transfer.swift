// SPDX-License-Identifier: Apache-2.0
// One file on its way through a breakable link, in either direction.

import Testing

/// Up or down.
enum Route: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case put, get
  var testDescription: String { rawValue }
}

/// A file, a client, a daemon and the proxy between them, seen the same way for `put` and `get`.
final class Transfer {
  let trial: Trial
  let route: Route
  let size: Int
  let daemon: Daemon
  let proxy: CutProxy
  let client: Client
  private let clientOptions: [RawString]
  /// Where the bytes come from.
  let source: RawString
  /// Where the bytes have to be in the end.
  let target: RawString

  init(
    _ trial: Trial, _ route: Route, size: Int, daemonArguments: [RawString] = [], clientOptions: [RawString] = []
  ) throws {
    self.trial = trial
    self.clientOptions = clientOptions
    self.route = route
    self.size = size
    daemon = try trial.daemon(daemonArguments)
    proxy = try trial.proxy(to: daemon)
    client = try trial.client()
    let served = daemon.root / "file.bin"
    source = route == .put ? try trial.sample(size) : served
    target = route == .put ? served : client.folder / "file.bin"
    if route == .get { try Files.writeRandom(size, to: served, using: &trial.random) }
  }

  /// The direction in which the file's bytes travel.
  var payload: CutProxy.Direction { route == .put ? .toServer : .toClient }

  private var arguments: [RawString] {
    clientOptions + (route == .put ? [source, proxy.url("file.bin")] : [proxy.url("file.bin"), target])
  }

  func start(retryFor seconds: Int = 0) throws -> ChildProcess {
    try client.startTransfer(RawString(route.rawValue), retryFor: seconds, arguments)
  }

  func run(retryFor seconds: Int = 0) throws -> ClientRun {
    try client.transfer(RawString(route.rawValue), retryFor: seconds, arguments)
  }

  /// The file that holds what has come so far.
  func partial() throws -> RawString {
    guard route == .put else { return target + ".splice-part" }
    guard let staged = daemon.staged().first else { throw Failure("nothing is staged below \(daemon.root)") }
    return staged
  }

  /// The record of what has been proved of the partial file.
  func journal() throws -> RawString {
    guard route == .put else { return target + ".splice-journal" }
    guard let journal = daemon.staged(".journal").first else { throw Failure("no journal below \(daemon.root)") }
    return journal
  }

  /// How many bytes the receiving side has on its disk.
  func storedSize() -> Int { Files.size(of: target) ?? (try? partial()).flatMap(Files.size(of:)) ?? 0 }

  /// Cuts the first try in the middle for good, so that a partial file of at least two blocks is there.
  func breakInTheMiddle() throws {
    proxy.strike(.close, after: trial.random.number(in: size * 2 / 5...size * 4 / 5), payload)
    let run = try run()
    #expect(run.status == 75, trial.note(run))
    #expect(
      eventually(within: 10) { storedSize() >= 2 * blockSize },
      trial.note("only \(storedSize()) of \(size) bytes were kept of a broken transfer"))
    // The last bytes on their way are still being stored. Whoever changes the file before that is over writes at
    // the same time as the daemon, which nobody can tell apart.
    if route == .put {
      #expect(eventually { daemon.process.standardError.contains("disconnected") }, trial.note())
    }
  }

  /// Runs to the end and checks the outcome: the source's bytes, and no partial file left.
  @discardableResult
  func finish(retryFor seconds: Int = 0) throws -> Receipt {
    let run = try run(retryFor: seconds)
    #expect(run.status == 0, trial.note(run))
    try expectArrived(run)
    return try run.receipt()
  }

  /// The target holds the source's bytes and nothing else is left of the transfer.
  func expectArrived(_ run: ClientRun) throws {
    let difference = try Files.difference(source, target)
    #expect(difference == nil, trial.note(run))
    let leftovers = daemon.staged("") + Files.names(in: client.folder).filter { $0 != "file.bin" }
    #expect(leftovers.isEmpty, trial.note(run))
  }
}
