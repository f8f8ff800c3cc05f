// SPDX-License-Identifier: Apache-2.0
// Starting a program with arguments of any bytes, which Foundation's Process cannot pass.

import Glibc

/// Starts a program; descriptors that are not given are /dev/null. No other descriptor is inherited,
/// because the harness opens every one of its own close-on-exec.
///
/// - Parameter environment: complete; nothing is inherited. Nil inherits all.
/// - Parameter inherited: become the child's descriptors from 3 on.
/// The corresponding C function is `posix_spawnp`.
func spawnProcess(
  _ arguments: [RawString], environment: [RawString]? = nil,
  standardInput: Int32? = nil, standardOutput: Int32? = nil, standardError: Int32? = nil, inherited: [Int32] = []
) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  for (target, given) in [(0, standardInput), (1, standardOutput), (2, standardError)] as [(Int32, Int32?)] {
    if let given {
      posix_spawn_file_actions_adddup2(&actions, given, target)
    } else {
      posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_RDWR, 0)
    }
  }

  for (index, descriptor) in inherited.enumerated() {
    posix_spawn_file_actions_adddup2(&actions, descriptor, 3 + Int32(index))
  }

  // The tests ignore SIGPIPE; a program under test starts with the defaults, as from a shell.
  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var every = sigset_t()
  sigfillset(&every)
  var none = sigset_t()
  sigemptyset(&none)
  posix_spawnattr_setsigdefault(&attributes, &every)
  posix_spawnattr_setsigmask(&attributes, &none)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

  let argumentPointers = arguments.map { $0.withCString { strdup($0) } } + [nil]
  let environmentPointers = environment.map { $0.map { $0.withCString { strdup($0) } } + [nil] }
  defer { for pointer in argumentPointers + (environmentPointers ?? []) { free(pointer) } }
  var pid: pid_t = 0
  let failure = Descriptors.withNoneInherited {
    if let environmentPointers {
      posix_spawnp(&pid, argumentPointers[0]!, &actions, &attributes, argumentPointers, environmentPointers)
    } else {
      posix_spawnp(&pid, argumentPointers[0]!, &actions, &attributes, argumentPointers, environ)
    }
  }
  guard failure == 0 else { throw Failure("cannot start \(arguments[0]): \(String(cString: strerror(failure)))") }
  return pid
}
