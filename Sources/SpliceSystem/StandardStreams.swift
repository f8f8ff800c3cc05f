// Standard output and standard error, unbuffered, and the terminal behind them.

internal import CPlatform

/// Descriptor 2: messages for people.
package enum StandardError {
  /// Errors are ignored: there is nowhere left to report them.
  package static func write(_ bytes: [UInt8]) { _ = csplice_write_stream(2, bytes, bytes.count) }
}

/// Descriptor 1: results that may be piped.
package enum StandardOutput {
  /// Writes all of `bytes`. The corresponding C function is `write(2)`.
  package static func write(_ bytes: [UInt8]) throws(Errno) {
    try check(csplice_write_stream(1, bytes, bytes.count))
  }
}

/// What a descriptor knows about a terminal at its other end.
package enum Terminal {
  /// The corresponding C function is `isatty(3)`.
  package static func isTerminal(_ descriptor: Int32) -> Bool { csplice_is_terminal(descriptor) == 1 }

  /// Columns of the terminal, or nil when `descriptor` is none. See ioctl_tty(2), `TIOCGWINSZ`.
  package static func width(_ descriptor: Int32) -> Int? {
    let columns = csplice_terminal_columns(descriptor)
    return columns > 0 ? Int(columns) : nil
  }
}
