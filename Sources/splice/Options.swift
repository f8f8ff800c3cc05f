// The options of every command, and which command has which.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem

enum Option: Int32 {
  case help, version, recursive, json, quiet, retryFor, limitRate, ifAbsent, create, cache, noCache, long, control
  case watch, remove

  var long: LongOption {
    switch self {
    case .help: LongOption(name: "help", takesValue: false, short: UInt8(ascii: "h"), id: rawValue)
    case .version: LongOption(name: "version", takesValue: false, id: rawValue)
    case .recursive: LongOption(name: "recursive", takesValue: false, short: UInt8(ascii: "r"), id: rawValue)
    case .json: LongOption(name: "json", takesValue: false, id: rawValue)
    case .quiet: LongOption(name: "quiet", takesValue: false, short: UInt8(ascii: "q"), id: rawValue)
    case .retryFor: LongOption(name: "retry-for", takesValue: true, id: rawValue)
    case .limitRate: LongOption(name: "limit-rate", takesValue: true, id: rawValue)
    case .ifAbsent: LongOption(name: "if-absent", takesValue: false, id: rawValue)
    case .create: LongOption(name: "create", takesValue: false, id: rawValue)
    case .cache: LongOption(name: "cache", takesValue: true, id: rawValue)
    case .noCache: LongOption(name: "no-cache", takesValue: false, id: rawValue)
    case .control: LongOption(name: "control", takesValue: true, id: rawValue)
    case .watch: LongOption(name: "watch", takesValue: false, short: UInt8(ascii: "w"), id: rawValue)
    case .remove: LongOption(name: "remove", takesValue: false, id: rawValue)
    case .long: LongOption(name: "long", takesValue: false, short: UInt8(ascii: "l"), id: rawValue)
    }
  }
}

extension CommandName {
  var options: [Option] {
    switch self {
    case .put: [.help, .recursive, .json, .quiet, .retryFor, .limitRate, .ifAbsent, .create, .cache, .noCache]
    case .get: [.help, .recursive, .json, .quiet, .retryFor, .limitRate]
    case .list: [.help, .long, .json]
    case .stat, .verify: [.help, .json]
    case .remove: [.help, .recursive]
    case .sessions: [.help, .control, .json, .watch]
    case .partials: [.help, .control, .json, .remove]
    case .kick, .drain, .reload: [.help, .control]
    }
  }
}

/// Why a command line gives nothing to run.
enum HelpOrUsage: Error {
  case help
  case usage(UsageError)
}

/// What was given to one command, each option checked by itself.
struct Options {
  let command: CommandName
  let operands: [[UInt8]]
  private(set) var retrySeconds = defaultRetrySeconds
  private(set) var bytesPerSecond: UInt64 = 0
  private(set) var cacheFolder: [UInt8]?
  private(set) var control: [UInt8]?
  private(set) var report = ReportOptions()
  private var given: [Option] = []

  init(_ command: CommandName, _ arguments: ArraySlice<[UInt8]>) throws(HelpOrUsage) {
    self.command = command
    var parser = OptionParser(arguments, options: command.options.map { $0.long })
    operands = parser.operands
    while let argument = parser.next() {
      switch argument {
      case .unknown(let text): throw .usage(usage(text, "no such option, or short for several"))
      case .missingValue(let text): throw .usage(usage(text, "the option needs a value"))
      case .option(let id, let value):
        guard let option = Option(rawValue: id) else { panic("the parser reported an option of its own") }
        if option == .help { throw .help }
        given.append(option)
        do throws(UsageError) { try take(option, value ?? []) } catch { throw .usage(error) }
      }
    }
  }

  func has(_ option: Option) -> Bool { given.contains(option) }

  private mutating func take(_ option: Option, _ value: [UInt8]) throws(UsageError) {
    switch option {
    case .json: report.format = .json
    case .quiet: report.isQuiet = true
    case .retryFor:
      guard let number = parseDecimal(value), let seconds = UInt32(exactly: number) else {
        throw usage(value, "--retry-for takes whole seconds, as in --retry-for 600")
      }
      retrySeconds = seconds
    case .limitRate:
      guard let rate = parseSize(value), rate >= Limits.rateMin else {
        throw usage(value, "--limit-rate takes bytes a second, 1KiB at least, as in --limit-rate 500KiB")
      }
      bytesPerSecond = rate
    case .cache:
      if value.isEmpty { throw usage(value, "--cache takes the name of a folder") }
      cacheFolder = value
    case .control:
      if value.isEmpty { throw usage(value, "--control takes the name of a socket, or of the folder that is served") }
      control = value
    default: break
    }
  }

  func requireNoOperands() throws(UsageError) {
    if let operand = operands.first { throw usage(operand, "nothing is expected here") }
  }

  /// All `operands` as addresses on one server; at least one.
  func endpoints(_ operands: ArraySlice<[UInt8]>) throws(UsageError) -> [Endpoint] {
    var endpoints: [Endpoint] = []
    for operand in operands {
      let next = try endpoint(operand)
      if let first = endpoints.first, !next.isSameServer(as: first) {
        throw usage(operand, "another server than that of the first address; use one command for each")
      }
      endpoints.append(next)
    }
    if endpoints.isEmpty { throw usage([], "no splice:// address") }
    return endpoints
  }

  func singleEndpoint() throws(UsageError) -> Endpoint {
    if operands.count > 1 { throw usage(operands[1], "one address at a time") }
    return try endpoints(operands[...])[0]
  }

  /// An error that says where to read on.
  func usage(_ argument: [UInt8], _ text: StaticString) -> UsageError {
    var sentence = [UInt8](text)
    sentence.append("; try 'splice ")
    sentence.append(command.text)
    sentence.append(" --help'")
    return UsageError(argument, sentence)
  }
}

/// The address that an operand is.
func endpoint(_ operand: [UInt8]) throws(UsageError) -> Endpoint {
  do throws(EndpointError) { return try Endpoint(operand) } catch {
    throw UsageError(operand, error.sentence)
  }
}
