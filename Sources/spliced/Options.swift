// The command line of the daemon.

internal import SpliceBase
internal import SpliceEngine
internal import SpliceSystem

/// What is wrong with a command line, in one line.
struct UsageError: Error {
  let text: [UInt8]

  init(_ what: StaticString, _ value: [UInt8]? = nil) {
    var text = [UInt8](what)
    if let value {
      text.append(" ")
      text.append(quoting: value)
    }
    text.append("; see spliced --help")
    self.text = text
  }
}

struct Options {
  enum Action {
    case serve(Options)
    case help
    case version
  }

  var server = ServerConfiguration()
  var root: [UInt8] = []
  var portFile: [UInt8]?
  /// Where the control socket is; nil: in the root's own folder.
  var control: [UInt8]?
  /// Where more options are.
  var file: [UInt8]?
  /// Whose rights to serve with; nil: those it was started with.
  var user: [UInt8]?
  var logLevel = LogLevel.info

  private enum ID {
    static let listen: Int32 = 1
    static let workers: Int32 = 2
    static let maxConnections: Int32 = 3
    static let memory: Int32 = 4
    static let checkpoint: Int32 = 5
    static let idleTimeout: Int32 = 6
    static let readOnly: Int32 = 7
    static let portFile: Int32 = 8
    static let log: Int32 = 9
    static let partialExpiry: Int32 = 10
    static let help: Int32 = 11
    static let version: Int32 = 12
    static let control: Int32 = 13
    static let maxPerAddress: Int32 = 14
    static let maxTransfers: Int32 = 15
    static let limitRate: Int32 = 16
    static let limitClientRate: Int32 = 17
    static let minFree: Int32 = 18
    static let options: Int32 = 19
    static let user: Int32 = 20
    static let qt: Int32 = 21
    static let qtTrustResume: Int32 = 22
    static let metrics: Int32 = 23
  }

  private static let table = [
    LongOption(name: "listen", takesValue: true, short: UInt8(ascii: "l"), id: ID.listen),
    LongOption(name: "workers", takesValue: true, id: ID.workers),
    LongOption(name: "max-connections", takesValue: true, id: ID.maxConnections),
    LongOption(name: "memory", takesValue: true, id: ID.memory),
    LongOption(name: "checkpoint", takesValue: true, id: ID.checkpoint),
    LongOption(name: "idle-timeout", takesValue: true, id: ID.idleTimeout),
    LongOption(name: "read-only", takesValue: false, id: ID.readOnly),
    LongOption(name: "port-file", takesValue: true, id: ID.portFile),
    LongOption(name: "log", takesValue: true, id: ID.log),
    LongOption(name: "partial-expiry", takesValue: true, id: ID.partialExpiry),
    LongOption(name: "control", takesValue: true, id: ID.control),
    LongOption(name: "max-per-address", takesValue: true, id: ID.maxPerAddress),
    LongOption(name: "max-transfers", takesValue: true, id: ID.maxTransfers),
    LongOption(name: "limit-rate", takesValue: true, id: ID.limitRate),
    LongOption(name: "limit-client-rate", takesValue: true, id: ID.limitClientRate),
    LongOption(name: "min-free", takesValue: true, id: ID.minFree),
    LongOption(name: "options", takesValue: true, id: ID.options),
    LongOption(name: "user", takesValue: true, id: ID.user),
    LongOption(name: "qt", takesValue: true, id: ID.qt),
    LongOption(name: "qt-trust-download-resume", takesValue: false, id: ID.qtTrustResume),
    LongOption(name: "metrics", takesValue: true, id: ID.metrics),
    LongOption(name: "help", takesValue: false, short: UInt8(ascii: "h"), id: ID.help),
    LongOption(name: "version", takesValue: false, id: ID.version),
  ]

  static let help: StaticString = """
    usage: spliced [OPTION]... ROOT
    Serves the folder ROOT to splice clients.

      -l, --listen ADDR:PORT       where to listen; may be repeated (127.0.0.1:7420; port 0 picks a free one)
          --qt ADDR:PORT           where to serve the deployed Qt clients; may be repeated (nowhere)
          --qt-trust-download-resume
                                   send a Qt client only what it lacks; the original client damages its file then
          --metrics ADDR:PORT      where to answer GET /metrics, for Prometheus (nowhere)
          --workers N|auto         event loops, each a thread (1; auto: one for each CPU)
          --max-connections N      clients at a time; the next one is told to come back (1024)
          --max-per-address N      clients from one address at a time (as many as in all)
          --max-transfers N        uploads and downloads at a time; the next one is told to come back (one for 16KiB of
                                   memory)
          --limit-rate SIZE        bytes a second, in and out, of all clients together (no limit)
          --limit-client-rate SIZE bytes a second, in and out, of each client (no limit)
          --min-free SIZE          room on the disk that uploads leave free (0)
          --memory SIZE            for bytes on their way to the disk, in all (16MiB)
          --checkpoint SIZE,SECS   make uploads durable every so often (64MiB,5)
          --idle-timeout SECS      disconnect a client that is silent for so long (60; 0: never)
          --partial-expiry TIME    remove unfinished uploads that nobody came back for (7d; s, m, h, d)
          --read-only              serve, but store and change nothing
          --port-file PATH         write the port of the first address there
          --control PATH           the administrator's socket (ROOT/.splice/control)
          --options FILE           more options, one a line: NAME VALUE; SIGHUP reads them again
          --user NAME|UID:GID      give up the rights of root first of all and serve as this user
          --log LEVEL              error, warning, notice, info or debug (info)
      -h, --help                   this text
          --version                the version

    SIGTERM and SIGINT: stop accepting, checkpoint unfinished uploads, exit 0.
    SIGHUP: read the options again; what cannot change while it runs is named in the log.

    """

  /// - Parameter arguments: without the program's name.
  static func parse(_ arguments: [[UInt8]]) throws(UsageError) -> Action {
    var all = arguments
    if let file = OptionsFile.named(in: arguments, table, id: ID.options) { all = try OptionsFile.read(file) + arguments }
    var options = Options()
    var parser = OptionParser(all[...], options: table)
    while let argument = parser.next() {
      switch argument {
      case .unknown(let text): throw UsageError("unknown option", text)
      case .missingValue(let text): throw UsageError("a value is missing after", text)
      case .option(ID.help, _): return .help
      case .option(ID.version, _): return .version
      case .option(ID.readOnly, _): options.server.isReadOnly = true
      case .option(ID.qtTrustResume, _): options.server.trustsQtResume = true
      case .option(ID.options, let value): options.file = value
      case .option(let id, let value): try options.set(id, value ?? [])
      }
    }
    guard parser.operands.count == 1 else {
      throw UsageError(parser.operands.isEmpty ? "the folder to serve is missing" : "one folder only, please")
    }
    options.root = parser.operands[0]
    return .serve(options)
  }

  private mutating func set(_ id: Int32, _ value: [UInt8]) throws(UsageError) {
    switch id {
    case ID.listen:
      server.listen.append(try address(value, "--listen takes ADDR:PORT or [ADDR]:PORT, not"))
    case ID.qt: server.listenForQt.append(try address(value, "--qt takes ADDR:PORT or [ADDR]:PORT, not"))
    case ID.metrics: server.metrics = try address(value, "--metrics takes ADDR:PORT or [ADDR]:PORT, not")
    case ID.workers:
      if value == "auto" {
        server.workers = min(max(1, Host.processorCount()), 64)
      } else {
        server.workers = Int(try number(value, 1...64, "--workers takes 1 to 64 or auto, not"))
      }
    case ID.maxConnections:
      server.connectionsMax = Int(try number(value, 1...1_000_000, "--max-connections takes 1 to 1000000, not"))
    case ID.maxPerAddress:
      server.perAddressMax = Int(try number(value, 1...1_000_000, "--max-per-address takes 1 to 1000000, not"))
    case ID.maxTransfers:
      server.transfersMax = Int(try number(value, 1...1_000_000, "--max-transfers takes 1 to 1000000, not"))
    case ID.limitRate: server.rate = try rate(value, "--limit-rate takes at least 1KiB, not")
    case ID.limitClientRate: server.sessionRate = try rate(value, "--limit-client-rate takes at least 1KiB, not")
    case ID.minFree:
      guard let size = parseSize(value) else { throw UsageError("--min-free takes a size like 500MiB, not", value) }
      server.freeSpaceMin = size
    case ID.control:
      if value.isEmpty { throw UsageError("--control takes the name of a socket") }
      control = value
    case ID.memory:
      guard let size = parseSize(value), size >= 1 << 20, size <= 1 << 40 else {
        throw UsageError("--memory takes a size of at least 1MiB, not", value)
      }
      server.memory = Int(size)
    case ID.checkpoint: try setCheckpoint(value)
    case ID.idleTimeout:
      server.idleMilliseconds =
        1000 * (try number(value, 0...10_000_000, "--idle-timeout takes seconds, not"))
    case ID.partialExpiry:
      guard let seconds = parseDuration(value) else {
        throw UsageError("--partial-expiry takes a time like 90s, 30m, 12h or 7d, not", value)
      }
      server.partialExpirySeconds = seconds
    case ID.portFile: portFile = value
    case ID.user: user = value
    case ID.log:
      guard let level = LogLevel(name: value) else {
        throw UsageError("--log takes error, warning, notice, info or debug, not", value)
      }
      logLevel = level
    default: panic("an option of the table is not handled")
    }
  }

  private mutating func setCheckpoint(_ value: [UInt8]) throws(UsageError) {
    let parts = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { Array($0) }
    guard parts.count == 2, let size = parseSize(parts[0]), size >= 1 << 20, let seconds = parseDecimal(parts[1]),
      seconds >= 1, seconds <= 86_400
    else { throw UsageError("--checkpoint takes SIZE,SECONDS with at least 1MiB,1, not", value) }
    server.checkpointBytes = size
    server.checkpointMilliseconds = 1000 * seconds
  }

  private func address(_ value: [UInt8], _ complaint: StaticString) throws(UsageError) -> SocketAddress {
    guard let address = SocketAddress.parse(value) else { throw UsageError(complaint, value) }
    return address
  }

  private func rate(_ value: [UInt8], _ complaint: StaticString) throws(UsageError) -> UInt64 {
    guard let rate = parseSize(value), rate >= Limits.rateMin else { throw UsageError(complaint, value) }
    return rate
  }

  private func number(
    _ value: [UInt8], _ range: ClosedRange<UInt64>, _ complaint: StaticString
  ) throws(UsageError) -> UInt64 {
    guard let number = parseDecimal(value), range.contains(number) else { throw UsageError(complaint, value) }
    return number
  }
}
