// Which rows are run, with which sizes and how often.

import Foundation

struct Plan {
  var isQuick = false
  var isCheck = false
  var isAdding = false
  var rounds = 9
  var only: Set<String> = []
  var results = "bench/results"
  var name: String { isQuick ? "quick" : "bench" }

  /// Rows in the order in which they run.
  static let quickRows = ["download", "upload", "resume", "sizes", "memory"]
  static let fullRows = quickRows + ["small", "fairness", "scaling", "instructions", "allocations"]

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    while let option = rest.popFirst() {
      switch option {
      case "--quick": (isQuick, rounds) = (true, 5)
      case "--check": isCheck = true
      case "--add": isAdding = true
      case "--rounds": rounds = max(1, Int(try Self.value(of: option, &rest)) ?? 1)
      case "--only": only = Set(try Self.value(of: option, &rest).split(separator: ",").map(String.init))
      case "--results": results = try Self.value(of: option, &rest)
      default: throw BenchError("unknown option \(option)")
      }
    }
    let known = Set(Self.fullRows)
    guard only.isSubset(of: known) else {
      throw BenchError("--only takes \(Self.fullRows.joined(separator: ",")), not \(only.subtracting(known))")
    }
  }

  /// What is asked for by name is run, quick or not.
  private var rows: [String] {
    only.isEmpty ? (isQuick ? Self.quickRows : Self.fullRows) : Self.fullRows.filter(only.contains)
  }

  /// For rows of which every round is thousands of operations and takes minutes.
  private var fewerRounds: Int { max(1, rounds / 3) }

  private static func value(of option: String, _ rest: inout ArraySlice<String>) throws -> String {
    guard let value = rest.popFirst() else { throw BenchError("\(option) takes a value") }
    return value
  }

  func run(in folder: Folder) throws -> Report {
    var report = isAdding ? try Report.read(from: results, named: name) : Report()
    report.date = ISO8601DateFormatter().string(from: Date())
    report.rounds = rounds
    report.versions = Versions.all(isQuick: isQuick)
    for (name, version) in report.versions.sorted(by: { $0.key < $1.key }) { print("\(name): \(version)") }
    print("")
    for row in rows {
      let began = Date()
      do {
        let measured = try measure(row, in: folder)
        report.replace(measured)
        print(Report(rows: measured).table)
      } catch {
        // The others are still worth having.
        report.failures[row] = "\(error)"
        print("\(row): FAILED: \(error)\n")
      }
      try report.write(to: results, named: name)
      FileHandle.standardError.write(Data("[\(row): \(Int(Date().timeIntervalSince(began))) s]\n".utf8))
    }
    return report
  }

  private func measure(_ row: String, in folder: Folder) throws -> [Row] {
    switch row {
    case "download": try BulkRows(folder: folder, rounds: rounds, withPeers: !isQuick).downloads()
    case "upload": try BulkRows(folder: folder, rounds: rounds, withPeers: !isQuick).uploads()
    case "resume": try ResumeRows(folder: folder, rounds: rounds, isQuick: isQuick).rows()
    case "sizes": try MemoryRows(folder: folder, isQuick: isQuick).sizes()
    case "memory": try MemoryRows(folder: folder, isQuick: isQuick).rows()
    case "small": try SmallFileRows(folder: folder, rounds: fewerRounds).rows()
    case "fairness": try LoadRows(folder: folder, rounds: fewerRounds).fairness()
    case "scaling": try LoadRows(folder: folder, rounds: rounds).scaling()
    case "instructions": try UserSpaceRows(folder: folder).instructions()
    case "allocations": try UserSpaceRows(folder: folder).allocations(rounds: fewerRounds)
    default: throw BenchError("no row is called \(row)")
    }
  }
}
