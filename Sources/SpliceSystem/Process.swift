// This process: its arguments, identity, limits and end.

internal import CPlatform

/// The process that runs this code.
package enum Process {
  /// The command line as the kernel passed it, the program's name first. Not necessarily UTF-8.
  package static var arguments: [[UInt8]] {
    var arguments: [[UInt8]] = []
    for index in 0..<csplice_argument_count() {
      if let text = csplice_argument(index) { arguments.append(bytes(ofTerminated: text)) }
    }
    return arguments
  }

  /// Blocks the calling thread. The corresponding C function is `nanosleep(2)`.
  package static func sleep(milliseconds: UInt32) { csplice_sleep(milliseconds) }

  /// The value of an environment variable, or nil when it is unset. The C function is `getenv(3)`.
  package static func environment(_ name: StaticString) -> [UInt8]? {
    guard let text = csplice_environment(name.shimText) else { return nil }
    return bytes(ofTerminated: text)
  }

  /// The user whose rights files are opened with. The corresponding C function is `geteuid(2)`.
  package static var userID: UInt32 { csplice_user_id() }

  /// Where relative paths begin; empty when that folder is gone. The C function is `getcwd(3)`.
  package static func currentFolder() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      count = max(0, Int(csplice_current_folder(buffer.baseAddress, buffer.count)))
    }
  }

  /// The corresponding C function is `getpid(2)`.
  package static var id: UInt32 { csplice_process_id() }

  /// Makes writing to a closed pipe an error instead of the end of the process: call first of all.
  /// The corresponding C function is `signal(2)`.
  package static func ignoreBrokenPipe() { csplice_ignore_broken_pipe() }

  /// The same in a program that is not ours: what it has chosen for that signal stays.
  /// The corresponding C function is `sigaction(2)`.
  package static func ignoreBrokenPipeUnlessHandled() { csplice_ignore_broken_pipe_unless_handled() }

  /// How many descriptors may be open; 0 when unknown. The corresponding C function is `getrlimit(2)`.
  package static func descriptorLimit() -> Int { max(0, Int(csplice_descriptor_limit())) }

  /// Raises the limit of open descriptors as far as this user may, and returns it; 0 when unknown.
  /// The corresponding C function is `setrlimit(2)`.
  package static func raiseDescriptorLimit() -> Int { max(0, Int(csplice_raise_descriptor_limit())) }

  /// Has the kernel make room now for so many descriptors, while this thread is the only one. Beside others each doubling
  /// of the table waits for all processors (`expand_fdtable` in fs/file.c): ten milliseconds and more, and all who open
  /// a file meanwhile wait with it. Where that much is not allowed, it is less.
  package static func expectDescriptors(_ count: Int) { csplice_expect_descriptors(Int32(clamping: count)) }

  /// From now on a block of 64 KiB or more goes back to the kernel when it is freed. Left alone, the GNU C library
  /// soon keeps blocks of up to 32 MiB, for each thread: thousands of short jobs leave megabytes behind. Does
  /// nothing elsewhere. The corresponding C function is `mallopt(3)`.
  package static func returnLargeBlocks() { csplice_return_large_blocks() }

  /// Gives up the pages of code of the program and its libraries, most of which only the start needed; what is used
  /// comes back from the page cache. The corresponding C function is `madvise(2)`.
  package static func forgetCode() { csplice_forget_code() }

  /// Permission bits that new files do not get: 0 ... 0o777. The corresponding C function is `umask(2)`.
  package static func setFileModeMask(_ mask: UInt32) { csplice_set_file_mode_mask(mask) }

  /// Ends the process with `status`, 0 ... 255. The corresponding C function is `exit(3)`.
  package static func exit(_ status: Int32) -> Never { csplice_exit(status) }
}

/// A copy of the bytes before the terminating NUL.
func bytes(ofTerminated text: UnsafePointer<UInt8>) -> [UInt8] {
  var count = 0
  while text[count] != 0 { count += 1 }
  return Array(UnsafeBufferPointer(start: text, count: count))
}
