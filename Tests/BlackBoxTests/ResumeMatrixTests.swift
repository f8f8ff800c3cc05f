// SPDX-License-Identifier: Apache-2.0
// Every size, both directions, every way to be interrupted: the second try sends only what is missing.

import Glibc
import Testing

/// What ends the first try.
enum Interruption: String, CaseIterable, Sendable {
  case linkReset, linkClosed, clientKilled, daemonKilled
}

struct ResumeCase: Sendable, CustomTestStringConvertible {
  let route: Route
  let size: Int
  let interruption: Interruption

  /// Whether the first try cannot end well. What a killed daemon has handed to its kernel still reaches the client.
  var isSureToBreak: Bool {
    switch interruption {
    case .linkReset, .linkClosed: true
    case .daemonKilled: route == .put
    case .clientKilled: false
    }
  }

  var testDescription: String { "\(route.rawValue) \(size) \(interruption.rawValue)" }

  static let sizes = [
    0, 1, blockSize - 1, blockSize, blockSize + 1, 5 * blockSize + blockSize * 3 / 10 + 7, 24 * blockSize + 4321,
  ]

  static let all: [ResumeCase] = Route.allCases.flatMap { route in
    sizes.flatMap { size in
      Interruption.allCases.map { ResumeCase(route: route, size: size, interruption: $0) }
    }
  }
}

/// Handshakes and frame headers of one try.
private let handshakeBytesMax = 64 << 10

@Suite struct ResumeMatrixTests {
  /// Interrupts a transfer at a random byte and runs it again: same bytes as the source, and the bytes on the
  /// wire are at most what was not stored, one block and a handshake.
  @Test(arguments: ResumeCase.all)
  func interruptedTransferSendsOnlyWhatIsMissing(_ matter: ResumeCase) throws {
    try withTrial("\(#function) \(matter.testDescription)") { trial in
      let transfer = try Transfer(trial, matter.route, size: matter.size)
      let first = try interruptFirstTry(of: transfer, by: matter.interruption)
      let isLarge = matter.size > 2 * blockSize
      if isLarge && matter.isSureToBreak { #expect(first.status == 75, trial.note(first)) }
      if first.status == 0 { try transfer.expectArrived(first) }
      if isLarge, first.status == 75 { #expect(try first.receipt().seconds > 0, trial.note(first)) }

      let stored = transfer.storedSize()
      let earlier = transfer.proxy.connections
      let receipt = try transfer.finish()
      let moved = transfer.proxy.passed(transfer.payload, afterConnections: earlier)
      let allowed = matter.size - stored + blockSize + handshakeBytesMax
      #expect(moved <= allowed, trial.note("\(stored) of \(matter.size) bytes were stored, \(moved) sent again"))
      // What a killed client has handed to its kernel still reaches the daemon: then nothing may be missing at all.
      if isLarge && stored >= 2 * blockSize && stored < matter.size && receipt.sent > 0 {
        #expect(receipt.resumedFrom > 0, trial.note("\(stored) bytes were stored"))
      }
      #expect(receipt.sent <= max(0, matter.size - receipt.resumedFrom), trial.note("\(receipt)"))
    }
  }

  /// Cuts the link twice inside one run: the client comes back by itself and sends every byte about once.
  @Test(arguments: Route.allCases)
  func clientComesBackByItself(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let size = 24 * blockSize + 99
      let transfer = try Transfer(trial, route, size: size)
      transfer.proxy.strike(.reset, after: trial.random.number(in: 3 * blockSize...9 * blockSize), transfer.payload)
      transfer.proxy.strike(.close, after: trial.random.number(in: 12 * blockSize...20 * blockSize), transfer.payload)
      let receipt = try transfer.finish(retryFor: 60)
      #expect(transfer.proxy.strikes == 2, trial.note())
      #expect(receipt.attempts >= 3, trial.note("\(receipt)"))
      // A reset throws away what is in the buffers of the link, and each cut may cost one block.
      let lost = 2 * (blockSize + handshakeBytesMax) + (1 << 20)
      #expect(transfer.proxy.passed(transfer.payload) <= size + lost, trial.note("\(receipt)"))
    }
  }

  /// Kills the daemon in the middle of a run and starts it anew: the same run of the client finishes.
  @Test(arguments: Route.allCases)
  func clientOutlivesTheDaemon(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      let transfer = try Transfer(trial, route, size: 12 * blockSize)
      let (daemon, proxy) = (transfer.daemon, transfer.proxy)
      proxy.strike(.call { daemon.process.killNow() }, after: 7 * blockSize, transfer.payload)
      let client = try transfer.start(retryFor: 60)
      #expect(eventually { !daemon.process.isRunning }, trial.note())
      try daemon.restart()
      proxy.redirect(to: daemon)
      let run = try ClientRun(client)
      #expect(run.status == 0, trial.note(run))
      try transfer.expectArrived(run)
    }
  }

  /// Runs the first try and interrupts it at a random byte of the payload's direction.
  private func interruptFirstTry(of transfer: Transfer, by interruption: Interruption) throws -> ClientRun {
    let trial = transfer.trial
    let size = transfer.size
    // Of a small file every byte may be the last one; of a large one the middle, so that it surely is cut.
    let at = size > 2 * blockSize
      ? trial.random.number(in: size / 10...size * 9 / 10) : trial.random.number(in: 0...size + 300)
    let (daemon, proxy) = (transfer.daemon, transfer.proxy)
    switch interruption {
    case .linkReset: proxy.strike(.reset, after: at, transfer.payload)
    case .linkClosed: proxy.strike(.close, after: at, transfer.payload)
    case .daemonKilled: proxy.strike(.call { daemon.process.killNow() }, after: at, transfer.payload)
    case .clientKilled: proxy.strike(.hold, after: at, transfer.payload)
    }
    let client = try transfer.start()
    if interruption == .clientKilled {
      if proxy.isHeld(before: client) { client.killNow() }
      proxy.release()
    }
    let run = try ClientRun(client)
    proxy.disarm()
    if interruption == .daemonKilled {
      try daemon.restart()
      proxy.redirect(to: daemon)
    }
    return run
  }
}
