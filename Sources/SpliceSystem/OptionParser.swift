// Command-line options by the rules of GNU programs: long and short, "--name=value", operands in between.

internal import CPlatform
internal import SpliceBase

/// One option that a command understands.
package struct LongOption: Sendable {
  /// Without the dashes.
  package var name: StaticString
  package var takesValue: Bool
  /// The letter of its short form, when it has one.
  package var short: UInt8?
  /// What `ParsedArgument.option` reports.
  package var id: Int32

  package init(name: StaticString, takesValue: Bool, short: UInt8? = nil, id: Int32) {
    self.name = name
    self.takesValue = takesValue
    self.short = short
    self.id = id
  }
}

/// One finding on the command line.
package enum ParsedArgument: Equatable, Sendable {
  /// `value` is nil exactly when the option takes none.
  case option(Int32, value: [UInt8]?)
  /// An unknown or ambiguous option, or one with a value that it does not take; as it was written.
  case unknown([UInt8])
  /// An option whose value is missing; as it was written.
  case missingValue([UInt8])
}

/// Reads options in the order in which they were given; what remains are the operands.
///
/// "--" ends the options, names may be shortened while they stay unambiguous, and nothing is printed.
/// The corresponding C function is `getopt_long(3)`, whose state is global to the process: construct on one
/// thread at a time. All of it happens in `init`, so parsers do not disturb each other later.
package struct OptionParser {
  private var found: [ParsedArgument] = []
  private var position = 0
  /// What is not an option or an option's value, in the order given.
  package private(set) var operands: [[UInt8]] = []

  /// - Parameter arguments: without the program's name; a sub-command's slice is fine.
  package init(_ arguments: some Collection<[UInt8]>, options: [LongOption]) {
    require(options.count <= Int(CSPLICE_OPTION_COUNT_MAX), "an option table is too long")
    let table = options.map { option in
      csplice_option(
        name: option.name.shimText, takes_value: option.takesValue ? 1 : 0,
        letter: Int32(option.short ?? 0))
    }

    // getopt_long wants terminated strings, skips the first and permutes the rest.
    let count = arguments.count + 1
    let argv = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: count + 1)
    var texts: [UnsafeMutablePointer<CChar>] = []
    texts.append(terminatedCopy([]))
    for argument in arguments { texts.append(terminatedCopy(argument)) }
    for (index, text) in texts.enumerated() { (argv + index).initialize(to: text) }
    (argv + count).initialize(to: nil)

    var isFirst = true
    while true {
      var parsed = csplice_parsed()
      csplice_options_next(Int32(count), argv, table, table.count, isFirst ? 1 : 0, &parsed)
      isFirst = false
      if parsed.kind == Int32(CSPLICE_PARSED_END) { break }
      let value: [UInt8]? = if let text = parsed.value { bytes(ofTerminated: text) } else { nil }
      if parsed.kind == Int32(CSPLICE_PARSED_OPTION) {
        found.append(.option(options[Int(parsed.index)].id, value: value))
        continue
      }
      let written = value ?? [UInt8(ascii: "-"), UInt8(truncatingIfNeeded: parsed.letter)]
      found.append(parsed.kind == Int32(CSPLICE_PARSED_MISSING) ? .missingValue(written) : .unknown(written))
    }
    for index in Int(csplice_options_operands())..<count {
      if let text = argv[index] {
        operands.append(bytes(ofTerminated: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)))
      }
    }

    for text in texts { text.deallocate() }
    argv.deallocate()
  }

  /// The next option, or nil after the last.
  package mutating func next() -> ParsedArgument? {
    if position == found.count { return nil }
    position += 1
    return found[position - 1]
  }
}

/// Bytes after a NUL are out of reach: no real command line has them.
private func terminatedCopy(_ bytes: [UInt8]) -> UnsafeMutablePointer<CChar> {
  let text = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
  for (index, byte) in bytes.enumerated() { (text + index).initialize(to: CChar(bitPattern: byte)) }
  (text + bytes.count).initialize(to: 0)
  return text
}
