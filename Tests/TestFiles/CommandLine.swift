// Command lines are parsed by getopt_long, whose state is that of the process.

import Synchronization

private let isParsing = Mutex(())

/// Runs `body`, which parses a command line, while no other test does. Suites of several modules run side by side.
public func parsingCommandLine<Value>(_ body: () throws -> Value) rethrows -> Value {
  try isParsing.withLock { _ in try body() }
}
