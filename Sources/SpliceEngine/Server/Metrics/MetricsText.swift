// The daemon's numbers in the text format of Prometheus, version 0.0.4.

internal import SpliceBase
internal import SpliceSystem

/// Writes the page that `GET /metrics` answers.
struct MetricsText {
  private(set) var bytes: [UInt8] = []

  init(_ reports: [WorkerReport], _ syncs: SyncMeter.Reading, startedAt: Timestamp) {
    describe("splice_build_info", "gauge", "The version that runs.")
    bytes.append("splice_build_info{version=\"")
    bytes.append(programVersion)
    bytes.append("\"} 1\n")
    describe("splice_start_time_seconds", "gauge", "When the daemon started, in seconds since 1970.")
    bytes.append("splice_start_time_seconds ")
    bytes.append(decimal: UInt64(max(0, startedAt.seconds)))
    bytes.append("\n")
    writeClients(reports)
    writeTransfers(reports)
    writeBytes(reports)
    writeBuffers(reports)
    write(syncs)
  }

  private mutating func writeClients(_ reports: [WorkerReport]) {
    describe("splice_connections", "gauge", "Clients that are connected.")
    forEach(reports, Service.allCases) { $0.line("splice_connections", $1, "protocol", $2.name, $1.open[$2.rawValue]) }
    describe("splice_connections_total", "counter", "Clients that have connected.")
    forEach(reports, Service.allCases) {
      $0.line("splice_connections_total", $1, "protocol", $2.name, $1.counters.opened[$2.rawValue])
    }
    describe("splice_disconnections_total", "counter", "Clients that are gone, by why.")
    forEach(reports, SessionEnd.Kind.allCases) {
      $0.line("splice_disconnections_total", $1, "reason", $2.name, $1.counters.ends[$2.rawValue])
    }
    describe("splice_refusals_total", "counter", "Clients and requests that were refused, by why.")
    for report in reports {
      for index in 0..<Refusal.count {
        line("splice_refusals_total", report, "reason", Refusal.name(at: index), report.counters.refusals[index])
      }
    }
  }

  private mutating func writeTransfers(_ reports: [WorkerReport]) {
    describe("splice_transfers", "gauge", "Transfers under way.")
    for report in reports { line("splice_transfers", report, report.transfers) }
    describe("splice_transfers_begun_total", "counter", "Transfers that were begun.")
    forEach(reports, TransferKind.allCases) {
      $0.line("splice_transfers_begun_total", $1, "kind", $2.name, $1.counters.begun[$2.rawValue])
    }
    describe("splice_transfers_completed_total", "counter", "Files that were stored durably, or sent to the end.")
    forEach(reports, TransferKind.allCases) {
      $0.line("splice_transfers_completed_total", $1, "kind", $2.name, $1.counters.completed[$2.rawValue])
    }
    describe("splice_resumes_total", "counter", "Transfers that went on behind bytes of an earlier try.")
    for report in reports { line("splice_resumes_total", report, report.counters.resumes) }
    describe("splice_resumed_bytes_total", "counter", "Bytes of earlier tries that did not go over the wire again.")
    for report in reports { line("splice_resumed_bytes_total", report, report.counters.resumedBytes) }
    describe(
      "splice_salvaged_bytes_total", "counter", "Those of them that were kept of a prefix that differed behind them.")
    for report in reports { line("splice_salvaged_bytes_total", report, report.counters.salvagedBytes) }
  }

  private mutating func writeBytes(_ reports: [WorkerReport]) {
    describe("splice_received_bytes_total", "counter", "Bytes received, of all messages.")
    writeTraffic("splice_received_bytes_total", reports) { $0.received }
    describe("splice_verified_bytes_total", "counter", "Bytes of uploads in blocks that matched the sender's digests.")
    writeTraffic("splice_verified_bytes_total", reports) { $0.verified }
    describe("splice_durable_bytes_total", "counter", "Bytes of uploads that reached stable storage.")
    writeTraffic("splice_durable_bytes_total", reports) { $0.durable }
    describe("splice_sent_bytes_total", "counter", "Bytes sent, of all messages.")
    writeTraffic("splice_sent_bytes_total", reports) { $0.sent }
  }

  private mutating func writeTraffic(
    _ name: StaticString, _ reports: [WorkerReport], _ value: (Traffic) -> UInt64
  ) {
    forEach(reports, Service.allCases) {
      $0.line(name, $1, "protocol", $2.name, value($1.counters.traffic[$2.rawValue]))
    }
  }

  private mutating func writeBuffers(_ reports: [WorkerReport]) {
    describe("splice_pool_buffers", "gauge", "Receive buffers that there are.")
    for report in reports { line("splice_pool_buffers", report, report.buffersMax) }
    describe("splice_pool_buffers_used", "gauge", "Receive buffers in use.")
    for report in reports { line("splice_pool_buffers_used", report, report.buffersUsed) }
    describe("splice_pool_waits_total", "counter", "How often a client had to wait for a receive buffer.")
    for report in reports { line("splice_pool_waits_total", report, report.bufferWaits) }
  }

  private mutating func write(_ syncs: SyncMeter.Reading) {
    describe("splice_sync_seconds", "histogram", "How long the disk took to make something durable.")
    var count: UInt64 = 0
    for (index, more) in syncs.counts.enumerated() {
      count += more
      bytes.append("splice_sync_seconds_bucket{le=\"")
      if index < SyncMeter.boundsMicroseconds.count {
        append(seconds: 1000 * SyncMeter.boundsMicroseconds[index])
      } else {
        bytes.append("+Inf")
      }
      bytes.append("\"} ")
      bytes.append(decimal: count)
      bytes.append("\n")
    }
    bytes.append("splice_sync_seconds_sum ")
    append(seconds: syncs.nanoseconds)
    bytes.append("\nsplice_sync_seconds_count ")
    bytes.append(decimal: count)
    bytes.append("\n")
    describe("splice_sync_failures_total", "counter", "Syncs that failed.")
    bytes.append("splice_sync_failures_total ")
    bytes.append(decimal: syncs.failures)
    bytes.append("\n")
  }

  // MARK: The format

  private mutating func forEach<Label>(
    _ reports: [WorkerReport], _ labels: [Label], _ body: (inout MetricsText, WorkerReport, Label) -> Void
  ) {
    for report in reports {
      for label in labels { body(&self, report, label) }
    }
  }

  private mutating func describe(_ name: StaticString, _ type: StaticString, _ help: StaticString) {
    bytes.append("# HELP ")
    bytes.append(name)
    bytes.append(" ")
    bytes.append(help)
    bytes.append("\n# TYPE ")
    bytes.append(name)
    bytes.append(" ")
    bytes.append(type)
    bytes.append("\n")
  }

  private mutating func line(_ name: StaticString, _ report: WorkerReport, _ value: UInt64) {
    begin(name, report)
    end(value)
  }

  private mutating func line(
    _ name: StaticString, _ report: WorkerReport, _ label: StaticString, _ text: StaticString, _ value: UInt64
  ) {
    begin(name, report)
    bytes.append(",")
    bytes.append(label)
    bytes.append("=\"")
    bytes.append(text)
    bytes.append("\"")
    end(value)
  }

  private mutating func begin(_ name: StaticString, _ report: WorkerReport) {
    bytes.append(name)
    bytes.append("{worker=\"")
    bytes.append(decimal: UInt64(report.worker))
    bytes.append("\"")
  }

  private mutating func end(_ value: UInt64) {
    bytes.append("} ")
    bytes.append(decimal: value)
    bytes.append("\n")
  }

  /// As a decimal fraction without closing zeros.
  private mutating func append(seconds nanoseconds: UInt64) {
    bytes.append(decimal: nanoseconds / 1_000_000_000)
    var rest = nanoseconds % 1_000_000_000
    if rest == 0 { return }
    bytes.append(".")
    var digit: UInt64 = 100_000_000
    while rest > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(rest / digit))
      rest %= digit
      digit /= 10
    }
  }
}
