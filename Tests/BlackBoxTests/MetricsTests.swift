// SPDX-License-Identifier: Apache-2.0
// The daemon's numbers: right after transfers that are known to the byte, and served whoever else asks.

import Foundation
import Testing

@Suite struct MetricsTests {
  private static let metrics: [RawString] = ["--metrics", "127.0.0.1:0", "--qt", "127.0.0.1:0"]
  private static let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)

  private func port(_ daemon: Daemon) throws -> Int { try daemon.port(after: "answering /metrics on") }

  /// Everything that the daemon answers to these bytes.
  private func answer(_ daemon: Daemon, _ bytes: [UInt8] = request) throws -> String {
    let peer = try RawPeer(to: port(daemon))
    peer.send(bytes)
    guard let heard = peer.readUntilClosed(within: 20) else { throw Failure("no end of the answer") }
    return String(decoding: heard, as: UTF8.self)
  }

  private func page(_ daemon: Daemon) throws -> String {
    let answer = try answer(daemon)
    guard answer.hasPrefix("HTTP/1.1 200 OK\r\n"), let end = answer.range(of: "\r\n\r\n") else {
      throw Failure("not a page: \(answer.prefix(200))")
    }
    return String(answer[end.upperBound...])
  }

  /// The sum over all workers of a name, for the lines that have all of these labels.
  private func sum(_ page: String, _ name: String, _ labels: String...) -> Int {
    page.split(separator: "\n").filter { line in
      (line.hasPrefix(name + "{") || line.hasPrefix(name + " ")) && labels.allSatisfy { line.contains($0) }
    }.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
  }

  @Test func numbersAreThoseOfWhatWasTransferred() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 10 * blockSize, daemonArguments: Self.metrics + ["--workers", "2"])
      let daemon = transfer.daemon
      let empty = try page(daemon)
      #expect(sum(empty, "splice_connections_total") == 0 && sum(empty, "splice_received_bytes_total") == 0)
      #expect(sum(empty, "splice_pool_buffers") == 62)

      try transfer.breakInTheMiddle()
      let kept = transfer.storedSize()
      let receipt = try transfer.finish()
      let size = transfer.size
      let get = try transfer.client.transfer("get", [daemon.url("file.bin"), transfer.client.folder / "copy"])
      #expect(get.status == 0, trial.note(get))
      let refused = try transfer.client.transfer("get", [daemon.url("none"), transfer.client.folder / "none"])
      #expect(refused.status == 1, trial.note(refused))
      let content = trial.random.bytes(3 * blockSize + 5)
      let qt = try QtPeer(to: daemon)
      #expect(try qt.upload(content, "qt.bin") == 0)
      #expect(try qt.download("qt.bin")?.bytes == content)

      // The clients of splice are gone when they have ended, and the daemon hears of it a moment later.
      #expect(try eventually { sum(try page(daemon), "splice_connections", "protocol=\"splice\"") == 0 }, trial.note())
      let numbers = try page(daemon)
      func check(_ name: String, _ labels: String..., is expected: ClosedRange<Int>) {
        let value = labels.count == 2 ? sum(numbers, name, labels[0], labels[1])
          : labels.count == 1 ? sum(numbers, name, labels[0]) : sum(numbers, name)
        #expect(expected.contains(value), trial.note("\(name) \(labels) is \(value)\n\(numbers)"))
      }
      let qtLabel = "protocol=\"qt\"", native = "protocol=\"splice\""
      check("splice_connections", qtLabel, is: 1...1)
      check("splice_connections_total", native, is: 4...4)
      check("splice_connections_total", qtLabel, is: 1...1)
      check("splice_disconnections_total", is: 4...4)
      check("splice_transfers", is: 0...0)
      check("splice_transfers_begun_total", "kind=\"upload\"", is: 3...3)
      check("splice_transfers_completed_total", "kind=\"upload\"", is: 2...2)
      check("splice_transfers_begun_total", "kind=\"download\"", is: 3...3)
      check("splice_transfers_completed_total", "kind=\"download\"", is: 2...2)
      check("splice_resumes_total", is: 1...1)
      check("splice_resumed_bytes_total", is: receipt.resumedFrom...receipt.resumedFrom)
      check("splice_salvaged_bytes_total", is: 0...0)
      check("splice_refusals_total", "reason=\"not_found\"", is: 1...1)
      check("splice_refusals_total", is: 1...1)
      // Each byte of the file once, and what the cut lost of the first try.
      check("splice_verified_bytes_total", native, is: size...size + kept % blockSize)
      check("splice_durable_bytes_total", native, is: size...size + kept % blockSize)
      check("splice_durable_bytes_total", qtLabel, is: content.count...content.count)
      // Framing and messages are less than a thousandth of it.
      check("splice_received_bytes_total", native, is: size...size + 2 * blockSize)
      check("splice_received_bytes_total", qtLabel, is: content.count + 100...content.count + 1000)
      check("splice_sent_bytes_total", native, is: size...size + 20_000)
      check("splice_sent_bytes_total", qtLabel, is: content.count + 100...content.count + 1000)
      check("splice_sync_failures_total", is: 0...0)
      let syncs = sum(numbers, "splice_sync_seconds_count")
      check("splice_sync_seconds_bucket", "le=\"+Inf\"", is: syncs...syncs)
      // Two commits of several steps, and a checkpoint of the broken try.
      #expect(syncs >= 6, trial.note("\(syncs) syncs"))
    }
  }

  /// A prefix that differs is kept up to the last block in common, and counted.
  @Test func salvageIsCounted() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 12 * blockSize, daemonArguments: Self.metrics)
      transfer.proxy.strike(.close, after: 8 * blockSize, .toServer)
      #expect(try transfer.run().status == 75)
      #expect(eventually { transfer.storedSize() >= 5 * blockSize }, trial.note())
      try Files.flip(transfer.source, at: 3 * blockSize + 9)
      try transfer.finish()
      let numbers = try page(transfer.daemon)
      #expect(sum(numbers, "splice_salvaged_bytes_total") == 3 * blockSize, trial.note(numbers))
      #expect(sum(numbers, "splice_resumed_bytes_total") == 3 * blockSize, trial.note(numbers))
    }
  }

  @Test func refusalsAreCountedByReason() throws {
    try withTrial { trial in
      let daemon = try trial.daemon(Self.metrics + ["--max-connections", "1"])
      let holder = try RawPeer(to: daemon.port)
      #expect(eventually { daemon.process.standardError.contains("connected") })
      #expect(try trial.client().run(["ls", daemon.url("")]).status != 0)
      let numbers = try page(daemon)
      #expect(sum(numbers, "splice_refusals_total", "reason=\"too_many_clients\"") == 1, trial.note(numbers))
      withExtendedLifetime(holder) {}
    }
  }

  /// Prometheus is never wrong about its own format.
  @Test(
    .enabled(
      if: (try? ChildProcess(["promtool", "--version"]).wait(seconds: 20)) == .exited(0),
      "promtool is not here (scripts/fetch-promtool.sh), so the format of /metrics was not checked by it"))
  func promtoolAcceptsThePage() throws {
    try withTrial { trial in
      let transfer = try Transfer(trial, .put, size: 2 * blockSize, daemonArguments: Self.metrics + ["--workers", "2"])
      try transfer.finish()
      let file = trial.newPath("page")
      try Files.write(Array(page(transfer.daemon).utf8), to: file)
      let check = try ChildProcess(["sh", "-c", "promtool check metrics <\"$1\"", "sh", file])
      #expect(try check.wait() == .exited(0), trial.note(check.standardError))
      #expect(check.standardError.isEmpty && check.standardOutput.isEmpty, trial.note(check.standardError))
    }
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\r\n\r\n", "404"), ("POST /metrics HTTP/1.1\r\n\r\n", "405"), ("nonsense\r\n\r\n", "400"),
    ("GET /metrics HTTP/1.1\r\nX: " + String(repeating: "x", count: 100_000), "431"),
  ])
  func wrongRequestsAreAnswered(_ request: String, _ status: String) throws {
    try withTrial("\(#function) \(status)") { trial in
      let daemon = try trial.daemon(Self.metrics)
      let answer = try answer(daemon, Array(request.utf8))
      #expect(answer.hasPrefix("HTTP/1.1 \(status) "), trial.note(answer))
      #expect(try page(daemon).contains("splice_build_info"), trial.note())
    }
  }

  /// Those who connect and say nothing, or do not read, hold up the others for a few seconds at most, and never the
  /// transfers.
  @Test func silentReadersAreClosed() throws {
    try withTrial { trial in
      let daemon = try trial.daemon(Self.metrics)
      let port = try port(daemon)
      let silent = try (0..<40).map { _ in try RawPeer(to: port) }
      for peer in silent.prefix(20) { peer.send(Array("GET /met".utf8)) }
      let put = try trial.client().transfer("put", [try trial.sample(blockSize), daemon.url("file.bin")])
      #expect(put.status == 0, trial.note(put))
      for peer in silent.prefix(8) { #expect(peer.readUntilClosed(within: 20) != nil, trial.note()) }
      #expect(Files.names(in: "/proc/\(daemon.process.pid)/fd").count < 60, trial.note())
      for peer in silent.dropFirst(8) { #expect(peer.readUntilClosed(within: 60) != nil, trial.note()) }
      #expect(try page(daemon).contains("splice_build_info"), trial.note())
    }
  }
}
