// What a byte costs in the daemon's own code: instructions, counted by callgrind, and calls of malloc.
//
// These figures hardly depend on the machine or on who else uses it, so they have thresholds.

import Foundation
import Glibc

/// bench/thresholds.json: figures that must not become worse.
struct Thresholds: Codable {
  var downloadInstructionsPerByte: Double
  var uploadInstructionsPerByte: Double
  var allocationsPerThousandChunks: Double

  static func read() throws -> Thresholds {
    let path = ProcessInfo.processInfo.environment["BENCH_THRESHOLDS"] ?? "bench/thresholds.json"
    guard let data = FileManager.default.contents(atPath: path) else {
      throw BenchError("cannot read \(path)")
    }
    return try JSONDecoder().decode(Thresholds.self, from: data)
  }
}

struct UserSpaceRows {
  let folder: Folder

  /// Two sizes: what the daemon does once, for itself and for each transfer, cancels out.
  private static let (small, large) = (64 << 20, 192 << 20)
  /// The same where nothing slows the daemon down: so long that every queue has grown to what it needs.
  private static let (long, longer) = (256 << 20, 768 << 20)
  private static let chunk = 1 << 20

  private enum Direction: String, CaseIterable {
    case download, upload
  }

  private func file(_ bytes: Int) throws -> String {
    let name = "\(bytes >> 20)MiB"
    return access(folder.file(name), R_OK) == 0
      ? folder.file(name) : try folder.makeRandom(name, bytes: bytes)
  }

  private func transfer(_ direction: Direction, _ bytes: Int, _ server: Server) throws {
    switch direction {
    case .download:
      try server.offer(try file(bytes), as: "file\(bytes)")
      _ = try Driver.run(["get", server.wire, "\(server.port)", "file\(bytes)", "1", "1"])
    case .upload:
      _ = try Driver.run([
        "put", server.wire, "\(server.port)", try file(bytes), "upload\(UInt32.random(in: 0 ... .max))",
      ])
    }
  }

  // MARK: Instructions

  func instructions() throws -> [Row] {
    let thresholds = try Thresholds.read()
    return try Direction.allCases.map { direction in
      let goal =
        direction == .download ? thresholds.downloadInstructionsPerByte : thresholds.uploadInstructionsPerByte
      var row = Row(
        "\(direction.rawValue), user space", "instructions per payload byte", moreIsBetter: false,
        goals: [Goal(bound: .atMost, value: goal)],
        note: direction == .download ? "counted when the daemon has the digests already" : nil)
      let (small, large) = (try count(direction, Self.small), try count(direction, Self.large))
      row.add((large - small) / Double(Self.large - Self.small), to: "splice")
      return row
    }
  }

  /// Instructions of a daemon that transfers so many bytes twice, less those of one that does it once.
  private func count(_ direction: Direction, _ bytes: Int) throws -> Double {
    let once = try instructions(direction, bytes, times: 1)
    return try instructions(direction, bytes, times: 2) - once
  }

  private func instructions(_ direction: Direction, _ bytes: Int, times: Int) throws -> Double {
    let output = folder.file("callgrind.\(direction.rawValue).\(bytes).\(times)")
    let server = try Server.splice(
      folder, wrapper: ["valgrind", "--tool=callgrind", "--quiet", "--callgrind-out-file=\(output)"])
    do {
      defer { server.stop() }
      for _ in 0..<times { try transfer(direction, bytes, server) }
    }
    let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
    for line in text.split(separator: "\n") where line.hasPrefix("totals:") || line.hasPrefix("summary:") {
      if let total = line.split(separator: " ").last.flatMap({ Double($0) }), total > 0 { return total }
    }
    throw BenchError("callgrind left no totals in \(output)")
  }

  // MARK: Allocations

  func allocations(rounds: Int) throws -> [Row] {
    let thresholds = try Thresholds.read()
    let counter = folder.file("allocations")
    let server = try Server.splice(
      folder, environment: ["LD_PRELOAD=\(Tools.allocationCounter)", "BENCH_ALLOCATIONS=\(counter)"])
    defer { server.stop() }
    func calls() throws -> Double {
      guard let data = FileManager.default.contents(atPath: counter), data.count >= 8 else {
        throw BenchError("the counter of allocations was not loaded")
      }
      let count = data.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
      guard count > 0 else { throw BenchError("the counter of allocations does not count") }
      return Double(count)
    }
    // Behind the receipt the daemon still puts the digests by. At rest it allocates nothing.
    func callsAtRest() throws -> Double {
      var last = try calls()
      while true {
        usleep(200_000)
        let now = try calls()
        if now == last { return now }
        last = now
      }
    }
    return try Direction.allCases.map { direction in
      var row = Row(
        "\(direction.rawValue), steady", "calls of malloc per 1,000 chunks of 1 MiB", moreIsBetter: false,
        goals: [Goal(bound: .atMost, value: thresholds.allocationsPerThousandChunks)])
      func cost(_ bytes: Int) throws -> Double {
        try transfer(direction, bytes, server)
        let before = try callsAtRest()
        try transfer(direction, bytes, server)
        return try callsAtRest() - before
      }
      // A checkpoint or a timer that falls into one of the two is not what is counted.
      for _ in 0..<rounds {
        let (long, longer) = (try cost(Self.long), try cost(Self.longer))
        row.add(1000 * (longer - long) / Double((Self.longer - Self.long) / Self.chunk), to: "splice")
      }
      return row
    }
  }
}
