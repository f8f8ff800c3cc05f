// The command line, parsed and checked before anything is tried.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem
internal import SpliceWire

/// What a command says about files while it runs and at their end.
struct ReportOptions: Equatable {
  enum Format {
    case text
    case json
  }

  var format = Format.text
  /// Errors only; objects of `--json` are still printed.
  var isQuiet = false
}

/// Where digests of local files are kept between runs.
enum CacheChoice: Equatable {
  case standard
  case folder([UInt8])
  case none
}

/// What `put` does where the server already has a file of that name.
enum ExistingFilePolicy: Equatable {
  case replace
  /// `--if-absent`: leave it, and call that success.
  case keep
  /// `--create`: an error.
  case refuse
}

struct PutCommand: Equatable {
  /// Local files and folders, as written.
  var operands: [[UInt8]] = []
  /// A folder whenever there are several operands.
  var destination: Endpoint
  var isRecursive = false
  var existing = ExistingFilePolicy.replace
  var cache = CacheChoice.standard
  /// 0: one try.
  var retrySeconds = defaultRetrySeconds
  /// 0: as fast as it goes.
  var bytesPerSecond: UInt64 = 0
  var report = ReportOptions()
}

struct GetCommand: Equatable {
  /// At least one, all on one server.
  var sources: [Endpoint]
  /// Nil: the current folder.
  var local: [UInt8]?
  var isRecursive = false
  /// 0: one try.
  var retrySeconds = defaultRetrySeconds
  /// 0: as fast as it goes.
  var bytesPerSecond: UInt64 = 0
  var report = ReportOptions()
}

struct ListCommand: Equatable {
  var folder: Endpoint
  var isLong = false
  var format = ReportOptions.Format.text
}

struct StatCommand: Equatable {
  var target: Endpoint
  var format = ReportOptions.Format.text
}

struct RemoveCommand: Equatable {
  /// At least one, all on one server, none of them the root.
  var targets: [Endpoint]
  var isRecursive = false
}

struct VerifyCommand: Equatable {
  /// At least one, all on one server.
  var targets: [Endpoint]
  var format = ReportOptions.Format.text
}

struct SessionsCommand: Equatable {
  /// Nil: the usual place.
  var control: [UInt8]?
  /// Again every two seconds, until interrupted.
  var isWatching = false
  var format = ReportOptions.Format.text
}

struct KickCommand: Equatable {
  var control: [UInt8]?
  /// At least one.
  var ids: [UInt64]
}

/// `drain` and `reload`.
struct ControlCommand: Equatable {
  var control: [UInt8]?
}

struct PartialsCommand: Equatable {
  var control: [UInt8]?
  /// Paths to be removed; empty: list them all.
  var removed: [[UInt8]] = []
  var format = ReportOptions.Format.text
}

/// Ten minutes outlast a server's restart and most walks through a tunnel.
let defaultRetrySeconds: UInt32 = 600

enum Command: Equatable {
  case put(PutCommand)
  case get(GetCommand)
  case list(ListCommand)
  case stat(StatCommand)
  case remove(RemoveCommand)
  case verify(VerifyCommand)
  case sessions(SessionsCommand)
  case kick(KickCommand)
  case drain(ControlCommand)
  case partials(PartialsCommand)
  case reload(ControlCommand)
  case help(CommandName?)
  case version
}

/// The command line is wrong.
struct UsageError: Error, Equatable {
  /// The argument that is wrong; may be empty.
  var argument: [UInt8]
  /// Why, and what to write instead.
  var text: [UInt8]

  init(_ argument: [UInt8], _ text: StaticString) {
    self.init(argument, [UInt8](text))
  }

  init(_ argument: [UInt8], _ text: [UInt8]) {
    self.argument = argument
    self.text = text
  }
}

extension Command {
  /// - Parameter arguments: without the program's name.
  init(_ arguments: [[UInt8]]) throws(UsageError) {
    guard let first = arguments.first else {
      throw UsageError([], "no command; try 'splice --help'")
    }
    if first.first == UInt8(ascii: "-") {
      self = try Self.parseGeneral(arguments)
      return
    }
    guard let name = CommandName.allCases.first(where: { first == $0.text }) else {
      throw UsageError(first, "no such command; try 'splice --help'")
    }
    let options: Options
    do throws(HelpOrUsage) {
      options = try Options(name, arguments.dropFirst())
    } catch {
      switch error {
      case .help:
        self = .help(name)
        return
      case .usage(let usage): throw usage
      }
    }
    self =
      switch name {
      case .put: .put(try PutCommand(options))
      case .get: .get(try GetCommand(options))
      case .list: .list(try ListCommand(options))
      case .stat: .stat(try StatCommand(options))
      case .remove: .remove(try RemoveCommand(options))
      case .verify: .verify(try VerifyCommand(options))
      case .sessions: .sessions(try SessionsCommand(options))
      case .kick: .kick(try KickCommand(options))
      case .drain: .drain(try ControlCommand(options))
      case .partials: .partials(try PartialsCommand(options))
      case .reload: .reload(try ControlCommand(options))
      }
  }

  private static func parseGeneral(_ arguments: [[UInt8]]) throws(UsageError) -> Command {
    var parser = OptionParser(arguments.prefix(1), options: [Option.help.long, Option.version.long])
    switch parser.next() {
    case .option(Option.help.rawValue, _): return .help(nil)
    case .option(Option.version.rawValue, _): return .version
    default: throw UsageError(arguments[0], "no such option in front of a command; try 'splice --help'")
    }
  }
}

extension PutCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    guard let last = options.operands.last else {
      throw options.usage([], "no FILE and no splice:// address")
    }
    self.init(destination: try endpoint(last))
    operands = options.operands.dropLast()
    if operands.isEmpty { throw options.usage(last, "no FILE in front of the address") }
    for operand in operands {
      if Endpoint.hasScheme(operand) {
        throw options.usage(operand, "put sends local files to one address, which comes last")
      }
      if operand.isEmpty { throw options.usage(operand, "the name of a FILE is empty") }
    }
    if operands.count > 1, !destination.isFolder {
      throw options.usage(last, "several FILEs need a folder: end the address with '/'")
    }
    if let operand = LocalNames.firstRepeated(operands.map(LocalNames.lastComponent)) {
      throw options.usage(operands[operand], "has the name of another FILE, and both would go to one place")
    }
    isRecursive = options.has(.recursive)
    if options.has(.ifAbsent) { existing = .keep }
    if options.has(.create) {
      if existing == .keep { throw options.usage([], "--if-absent and --create exclude each other") }
      existing = .refuse
    }
    if let folder = options.cacheFolder { cache = .folder(folder) }
    if options.has(.noCache) {
      if cache != .standard { throw options.usage([], "--cache and --no-cache exclude each other") }
      cache = .none
    }
    retrySeconds = options.retrySeconds
    bytesPerSecond = options.bytesPerSecond
    report = options.report
  }
}

extension GetCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    var operands = options.operands[...]
    var local: [UInt8]?
    if let last = operands.last, operands.count > 1, !Endpoint.hasScheme(last) {
      if last.isEmpty { throw options.usage(last, "the name LOCAL is empty") }
      local = last
      operands.removeLast()
    }
    self.init(sources: try options.endpoints(operands))
    self.local = local
    if sources.count > 1, let local, !LocalNames.isFolder(local) {
      throw options.usage(local, "several addresses need a folder: make it first or write '/' at its end")
    }
    if let source = LocalNames.firstRepeated(sources.map { $0.path.name }) {
      throw options.usage(operands[source], "has the name of another PATH, and both would go to one file")
    }
    isRecursive = options.has(.recursive)
    retrySeconds = options.retrySeconds
    bytesPerSecond = options.bytesPerSecond
    report = options.report
  }
}

extension ListCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    self.init(folder: try options.singleEndpoint())
    isLong = options.has(.long)
    format = options.report.format
  }
}

extension StatCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    self.init(target: try options.singleEndpoint())
    format = options.report.format
  }
}

extension RemoveCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    self.init(targets: try options.endpoints(options.operands[...]))
    for (target, operand) in zip(targets, options.operands) where target.path.isRoot {
      throw options.usage(operand, "the root of a server cannot be removed")
    }
    isRecursive = options.has(.recursive)
  }
}

extension VerifyCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    self.init(targets: try options.endpoints(options.operands[...]))
    format = options.report.format
  }
}

extension SessionsCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    try options.requireNoOperands()
    self.init(control: options.control, isWatching: options.has(.watch), format: options.report.format)
    if isWatching, format == .json { throw options.usage([], "--watch and --json exclude each other") }
  }
}

extension KickCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    var ids: [UInt64] = []
    for operand in options.operands {
      guard let id = parseDecimal(operand) else {
        throw options.usage(operand, "not the number of a client, as 'splice sessions' shows it")
      }
      ids.append(id)
    }
    if ids.isEmpty { throw options.usage([], "the number of the client is missing") }
    self.init(control: options.control, ids: ids)
  }
}

extension ControlCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    try options.requireNoOperands()
    self.init(control: options.control)
  }
}

extension PartialsCommand {
  fileprivate init(_ options: Options) throws(UsageError) {
    self.init(control: options.control, format: options.report.format)
    if options.has(.remove) {
      if options.operands.isEmpty { throw options.usage([], "--remove needs the PATHs to be removed") }
      removed = options.operands
    } else {
      try options.requireNoOperands()
    }
  }
}
