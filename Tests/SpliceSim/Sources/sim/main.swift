// The simulator's command line; see the Makefile for what people type.

import Foundation

// A seed is to be the same run every time, and the engine walks dictionaries of sessions. Their order is drawn anew for
// each process unless this is in its environment when it starts.
let fixedOrder = "SWIFT_DETERMINISTIC_HASHING"
if getenv(fixedOrder) == nil {
  setenv(fixedOrder, "1", 1)
  // Files come and go all the time: memory that went back to the kernel each time would cost an eighth of the run.
  setenv("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296", 1)
  execv("/proc/self/exe", CommandLine.unsafeArgv)
  perror("cannot start again")
  exit(2)
}

exit(Runner(Array(CommandLine.arguments.dropFirst())).run())
