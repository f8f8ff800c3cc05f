// Where libFuzzer comes in: which target it drives, and the first inputs of each.

internal import Glibc

/// One thing to be fuzzed.
struct Target: Sendable {
  let name: String
  /// Inputs made by the product's own encoders, to begin with.
  let seeds: @Sendable () -> [[UInt8]]
  /// Ends the process when a promise is broken.
  let run: @Sendable ([UInt8]) -> Void

  static let all = [
    frames, session, hostileServer, journals, paths, addresses, qtRequests, qtSession, metricsRequests, canary,
  ]
}

nonisolated(unsafe) private var target = Target.canary

/// Called by libFuzzer first. `--target=NAME` picks what is fuzzed; with `--seeds=FOLDER` its first inputs are
/// written there, and that is all.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
  _ count: UnsafeMutablePointer<CInt>,
  _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
  var folder: String?
  for index in 1..<max(1, Int(count.pointee)) {
    guard let raw = arguments.pointee[index] else { continue }
    let text = String(cString: raw)
    if text.hasPrefix("--target=") {
      let name = text.dropFirst(9)
      guard let found = Target.all.first(where: { $0.name == name }) else {
        say("there is no target '\(name)'; there are \(Target.all.map(\.name))")
        exit(2)
      }
      target = found
    } else if text.hasPrefix("--seeds=") {
      folder = String(text.dropFirst(8))
    }
  }
  guard let folder else { return 0 }
  for (index, bytes) in target.seeds().enumerated() {
    guard let file = fopen("\(folder)/\(index)", "w") else { exit(1) }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }
  exit(0)
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

/// A promise was broken: says which, and ends the process so that libFuzzer keeps the input.
func broken(_ text: String) -> Never {
  say("BROKEN: \(text)")
  abort()
}

private func say(_ text: String) {
  let line = Array((text + "\n").utf8)
  _ = write(2, line, line.count)
}

func check(_ condition: Bool, _ text: @autoclosure () -> String) {
  if !condition { broken(text()) }
}

extension Target {
  /// Must fail: shows that inputs arrive, that coverage guides them, and that a failure is noticed.
  static let canary = Target(name: "canary", seeds: { [[0]] }) { input in
    if input.count == 4, input[0] == 0x53, input[1] == 0x50, input[2] == 0x4C, input[3] == 0x43 {
      broken("the canary has seen the four bytes that it was to find")
    }
  }
}
