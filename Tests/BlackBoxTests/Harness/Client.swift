// SPDX-License-Identifier: Apache-2.0
// A person at the command line: one home, one cache, any number of runs of splice.

/// What one run of the client did.
struct ClientRun {
  let commandLine: String
  let ending: Ending
  let output: [UInt8]
  let error: String

  init(_ process: ChildProcess, patience: Double = patienceSeconds) throws {
    commandLine = process.commandLine
    ending = try process.wait(seconds: patience)
    output = process.standardOutput
    error = process.standardError
  }

  /// The exit status; a signal shows as its negative number.
  var status: Int32 {
    switch ending {
    case .exited(let status): status
    case .signaled(let number): -number
    }
  }

  var outputText: String { String(decoding: output, as: UTF8.self) }
  var errorLines: [Substring] { error.split(separator: "\n") }

  /// One receipt for each line of standard output.
  func receipts() throws -> [Receipt] { try outputText.split(separator: "\n").map(Receipt.init) }

  /// The receipt of a run that moved one file.
  func receipt() throws -> Receipt {
    let all = try receipts()
    guard all.count == 1 else { throw Failure("one JSON line expected: \(self)") }
    return all[0]
  }
}

extension ClientRun: CustomStringConvertible {
  var description: String {
    """
    \(commandLine)
      \(ending)
      standard output: \(outputText.prefix(2000))
      standard error: \(error.prefix(2000))
    """
  }
}

/// Runs splice with a home and a cache that no other client shares.
struct Client {
  let home: RawString
  /// Where relative paths of arguments begin.
  let folder: RawString
  /// A command to run splice under, such as one that enters another mount namespace.
  var prefix: [RawString] = []
  /// How many seconds a run may take before the test fails.
  var patience = patienceSeconds

  private var environment: [RawString] {
    ["HOME=\(home)", "XDG_CACHE_HOME=\(home)/.cache", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C"]
  }

  func start(_ arguments: [RawString]) throws -> ChildProcess {
    try ChildProcess(prefix + ["env", "-C", folder] + Binaries.client() + arguments, environment: environment)
  }

  func run(_ arguments: [RawString]) throws -> ClientRun { try ClientRun(start(arguments), patience: patience) }

  /// `splice put` or `splice get` with `--json`; once, unless a time for more tries is given.
  func transfer(_ verb: RawString, retryFor seconds: Int = 0, _ arguments: [RawString]) throws -> ClientRun {
    try ClientRun(startTransfer(verb, retryFor: seconds, arguments), patience: patience)
  }

  func startTransfer(_ verb: RawString, retryFor seconds: Int = 0, _ arguments: [RawString]) throws -> ChildProcess {
    try start([verb, "--json", "--retry-for", "\(seconds)"] + arguments)
  }
}
