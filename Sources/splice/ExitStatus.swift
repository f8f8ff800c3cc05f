// What the program's end tells scripts: a contract, see design.md section 8.

enum ExitStatus: Int32 {
  /// Done and verified.
  case done = 0
  /// Failed for good: the same command would fail again.
  case failed = 1
  /// The command line is wrong; nothing was tried.
  case usage = 2
  /// Gave up, but the same command goes on where this one stopped. EX_TEMPFAIL of sysexits(3).
  case resumable = 75
  /// Ctrl-C; resumable too. 128 + SIGINT, as shells have it.
  case interrupted = 130
}
