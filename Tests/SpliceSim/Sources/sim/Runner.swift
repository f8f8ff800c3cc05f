// Runs seeds: many at a time in child processes, or one with a trace.

import Foundation
import SimPlants
import SpliceSystem

struct Runner {
  private var first: UInt64 = 1
  private var count: UInt64 = 2000
  private var jobs = max(1, Foundation.ProcessInfo.processInfo.activeProcessorCount)
  private var mistake = ""
  private var isChild = false
  private var isTracing = false
  private var stopsAtFirst = false
  private var bites = false
  private var least = Int.max

  init(_ arguments: [String]) {
    var rest = arguments[...]
    func number() -> UInt64 { rest.popFirst().flatMap { UInt64($0) } ?? 0 }
    while let option = rest.popFirst() {
      switch option {
      case "--first": first = number()
      case "--count": count = number()
      case "--jobs": jobs = Int(number())
      case "--mistake": mistake = rest.popFirst() ?? ""
      case "--child": isChild = true
      case "--trace": isTracing = true
      case "--stop-at-first": stopsAtFirst = true
      case "--bite": bites = true
      case "--least": least = Int(number())
      default:
        print("unknown option \(option)")
        exit(2)
      }
    }
  }

  func run() -> Int32 {
    if isTracing { return trace() }
    if isChild { return runChild() }
    if bites { return bite() }
    return runAll()
  }

  // MARK: One process

  private func trace() -> Int32 {
    plantedMistake = mistake
    let trial = Trial(seed: first, isTracing: true)
    print("seed \(first): \(trial.scenario.rawValue), \(trial.troublesLeft) of \(trial.troubles)")
    if let failure = trial.run() {
      print("seed \(first) (\(trial.scenario.rawValue)) FAILED: \(failure)")
      return 1
    }
    print("seed \(first) (\(trial.scenario.rawValue)) is well")
    return 0
  }

  private func runChild() -> Int32 {
    plantedMistake = mistake
    var status: Int32 = 0
    var steps = 0
    var crashes = 0
    for seed in first..<first + count {
      // The parent reads from it which seed a child died of.
      say("BEGIN \(seed)")
      let trial = Trial(seed: seed, isTracing: false)
      if let failure = trial.run() {
        say("FAILED \(seed) \(trial.scenario.rawValue): \(failure)")
        status = 1
      }
      steps += trial.world.steps
      crashes += trial.crashes
      if status != 0, stopsAtFirst { return 1 }
    }
    say("STEPS \(steps) \(crashes)")
    return status
  }

  private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

  // MARK: Many processes

  private struct Outcome {
    var failures: [(seed: UInt64, text: String)] = []
    var steps = 0
    var crashes = 0
  }

  private func runAll() -> Int32 {
    let start = Date()
    var outcome = Outcome()
    // What once found a mistake, and what first found each bug, is tried before anything else.
    for plant in Self.plants where plant.seed > 0 && mistake.isEmpty {
      for failure in runRange(plant.seed..<plant.seed + 1, mistake: "", stopsAtFirst: true).failures {
        outcome.failures.append((failure.seed, "regression \(plant.name): \(failure.text)"))
      }
    }
    let rest = runRange(first..<first + count, mistake: mistake, stopsAtFirst: stopsAtFirst)
    outcome.failures += rest.failures
    outcome.steps += rest.steps
    outcome.crashes += rest.crashes
    for failure in outcome.failures.sorted(by: { $0.seed < $1.seed }) {
      say("seed \(failure.seed): \(failure.text)")
    }
    let seconds = String(format: "%.1f", Date().timeIntervalSince(start))
    print(
      "sim: \(count) seeds from \(first), \(outcome.steps) steps, \(outcome.crashes) crashes, "
        + "\(outcome.failures.count) failures, \(seconds) s")
    if let failure = outcome.failures.min(by: { $0.seed < $1.seed }) {
      print("replay with: SPLICE_SEED=\(failure.seed) make sim")
      return 1
    }
    return 0
  }

  /// Children take turns of a few seeds; a child that crashes fails its seed, and the next one goes on behind.
  private func runRange(_ seeds: Range<UInt64>, mistake: String, stopsAtFirst: Bool) -> Outcome {
    let share: UInt64 = 50
    let lock = NSLock()
    nonisolated(unsafe) var next = seeds.lowerBound
    nonisolated(unsafe) var outcome = Outcome()
    let group = DispatchGroup()
    for _ in 0..<jobs {
      DispatchQueue.global().async(group: group) {
        while true {
          lock.lock()
          let stop = next >= seeds.upperBound || (stopsAtFirst && !outcome.failures.isEmpty)
          let from = next
          let to = min(from + share, seeds.upperBound)
          next = to
          lock.unlock()
          if stop { return }
          let part = Self.runShare(from..<to, mistake, stopsAtFirst)
          lock.lock()
          outcome.failures += part.failures
          outcome.steps += part.steps
          outcome.crashes += part.crashes
          lock.unlock()
        }
      }
    }
    group.wait()
    return outcome
  }

  private static func runShare(_ seeds: Range<UInt64>, _ mistake: String, _ stopsAtFirst: Bool) -> Outcome {
    var outcome = Outcome()
    var from = seeds.lowerBound
    while from < seeds.upperBound {
      let child = Foundation.Process()
      child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      child.arguments =
        ["--child", "--first", "\(from)", "--count", "\(seeds.upperBound - from)", "--mistake", mistake]
        + (stopsAtFirst ? ["--stop-at-first"] : [])
      let pipe = Pipe()
      child.standardOutput = pipe
      child.standardError = pipe
      do { try child.run() } catch {
        outcome.failures.append((from, "cannot start a child: \(error)"))
        return outcome
      }
      let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      child.waitUntilExit()
      var last = from
      var message = ""
      for line in text.split(separator: "\n") {
        let words = line.split(separator: " ", maxSplits: 2).map(String.init)
        if words[0] == "FAILED", let seed = UInt64(words[1]) {
          outcome.failures.append((seed, words[2]))
        } else if words[0] == "BEGIN", let seed = UInt64(words[1]) {
          last = seed
        } else if words[0] == "STEPS" {
          outcome.steps += Int(words[1]) ?? 0
          outcome.crashes += Int(words[2]) ?? 0
        } else if message.isEmpty {
          message = String(line)
        }
      }
      guard child.terminationReason == .uncaughtSignal else { return outcome }
      outcome.failures.append((last, "the program stopped itself: \(message)"))
      if stopsAtFirst { return outcome }
      from = last + 1
    }
    return outcome
  }

  // MARK: Does it bite?

  /// One mistake of plants.txt, and the seed that found it last.
  private struct Plant {
    var name: String
    var seed: UInt64
  }

  private static var plants: [Plant] {
    guard let text = try? String(contentsOfFile: "plants.txt", encoding: .utf8) else { return [] }
    var plants: [Plant] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ").map(String.init)
      if words[0] == "plant" { plants.append(Plant(name: words[1], seed: 0)) }
      if words[0] == "found", let seed = UInt64(words[1]) { plants[plants.count - 1].seed = seed }
    }
    return plants
  }

  /// Each planted mistake must be found, or `least` of them. The seeds that are noted are tried first.
  private func bite() -> Int32 {
    let start = Date()
    let plants = Self.plants.filter { mistake.isEmpty || $0.name == mistake }
    var missed = plants.filter { $0.seed == 0 || !isFound($0, in: $0.seed..<$0.seed + 1, ", as noted") }
    let enough = min(least, plants.count)
    if plants.count - missed.count < enough {
      missed.removeAll { isFound($0, in: first..<first + count, ": note it") }
    }
    let seconds = String(format: "%.1f", Date().timeIntervalSince(start))
    say("sim-bite: found \(plants.count - missed.count) of \(plants.count) planted mistakes, \(seconds) s")
    if !missed.isEmpty { say("not found: \(missed.map(\.name).joined(separator: " "))") }
    return plants.isEmpty || plants.count - missed.count < enough ? 1 : 0
  }

  /// A seed that fails has found the mistake only if it is well without it.
  private func isFound(_ plant: Plant, in seeds: Range<UInt64>, _ remark: String) -> Bool {
    let start = Date()
    var from = seeds.lowerBound
    while from < seeds.upperBound {
      let outcome = runRange(from..<seeds.upperBound, mistake: plant.name, stopsAtFirst: true)
      guard let found = outcome.failures.min(by: { $0.seed < $1.seed }) else { return false }
      let without = runRange(found.seed..<found.seed + 1, mistake: "", stopsAtFirst: true)
      if without.failures.isEmpty {
        let seconds = String(format: "%.1f", Date().timeIntervalSince(start))
        say("\(plant.name): found by seed \(found.seed)\(remark) (\(seconds) s): \(found.text)")
        return true
      }
      say("\(plant.name): seed \(found.seed) fails without it, too: \(without.failures[0].text)")
      from = found.seed + 1
    }
    return false
  }
}
