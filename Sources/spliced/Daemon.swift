// From a parsed command line to a running server.

internal import SpliceBase
internal import SpliceCore
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

enum Daemon {
  /// Returns the exit status: 0 after an orderly stop, 1 when it could not serve, 2 for a wrong command line.
  static func run(_ arguments: [[UInt8]]) -> Int32 {
    var options: Options
    do throws(UsageError) {
      switch try Options.parse(arguments) {
      case .serve(let parsed): options = parsed
      case .help: return say([UInt8](Options.help))
      case .version: return say([UInt8]("spliced ") + [UInt8](programVersion) + [UInt8]("\n"))
      }
    } catch {
      complain(error.text)
      return 2
    }
    Process.ignoreBrokenPipe()
    let descriptors = Process.raiseDescriptorLimit()
    Process.expectDescriptors(Limits.descriptorsExpected)
    Process.setFileModeMask(0o022)
    Process.returnLargeBlocks()
    if let user = options.user {
      guard become(user) else { return 1 }
    }
    let log = Log(threshold: options.logLevel)
    limitConnections(&options.server, descriptors, log)
    let started = options
    let manager: ServiceManager
    do throws(Errno) {
      manager = try ServiceManager()
    } catch {
      let path = Process.environment("NOTIFY_SOCKET") ?? []
      complain(about: path, "cannot reach the service manager", error.name)
      return 1
    }
    let sockets: [Socket]
    do throws(Errno) {
      sockets = try ServiceManager.sockets()
    } catch {
      complain(about: [UInt8]("LISTEN_FDS"), "not the listening TCP sockets that it promises", error.name)
      return 1
    }
    if options.server.listen.isEmpty, sockets.isEmpty { options.server.listen = [.usual] }
    guard let folder = open(options) else { return 1 }
    let control: ControlPlace?
    do throws(Errno) {
      control = try controlPlace(options, folder.store)
    } catch {
      complain(about: options.control ?? [], "cannot open the folder of the control socket", error.name)
      return 1
    }
    do throws(ServerError) {
      let server = try Server(
        options.server, folder.store, control: control, log, sockets: sockets, syncs: folder.syncs)
      try server.obeySignals()
      server.onReload = { reload(arguments, started, descriptors, log) }
      for address in server.addresses { announce(address, "", options, log) }
      for address in server.qtAddresses { announce(address, " to Qt clients", options, log) }
      if let address = server.metricsAddress {
        log.write(.notice) { line in
          line.append("answering /metrics on ")
          address.format(into: &line)
        }
      }
      if let path = options.portFile, let port = server.addresses.first?.port {
        guard write(port: port, to: path) else { return 1 }
      }
      confine(to: folder.directory, options, control, log)
      if let milliseconds = ServiceManager.aliveMilliseconds() {
        try server.reportAlive(everyMilliseconds: milliseconds) { manager.notify(.alive) }
      }
      server.onStop = { manager.notify(.stopping) }
      manager.notify(.ready)
      Process.forgetCode()
      try server.run()
      reportPartials(folder.store, log)
    } catch {
      complain(error.sentence)
      return 1
    }
    return 0
  }

  /// What stays to be gone on with, when all clients are gone.
  private static func reportPartials(_ store: Store, _ log: Log) {
    if store.isReadOnly { return }
    var count: UInt64 = 0
    var bytes: UInt64 = 0
    do throws(StoreError) {
      let reader = try store.partials(now: SystemClock.wallNow())
      while true {
        let (entries, isLast) = try reader.next()
        for entry in entries {
          count += 1
          bytes += entry.received
          if count <= partialsNamedMax { name(entry, log) }
        }
        if isLast { break }
      }
    } catch {
      log.write(.warning) { line in
        line.append("stopped; what is unfinished could not be counted: ")
        line.append(contentsOf: error.sentence)
      }
      return
    }
    log.write(.notice) { line in
      line.append("stopped; unfinished uploads that can be resumed: ")
      line.append(decimal: count)
      line.append(", with ")
      line.append(decimal: bytes)
      line.append(" bytes")
    }
  }

  /// A log is no list: `splice partials` shows all.
  private static let partialsNamedMax: UInt64 = 20

  private static func name(_ entry: PartialEntry, _ log: Log) {
    log.write(.info) { line in
      line.append("unfinished: ")
      line.append(quoting: entry.path)
      line.append(", ")
      line.append(decimal: entry.received)
      if entry.size > 0 {
        line.append(" of ")
        line.append(decimal: entry.size)
      }
      line.append(" bytes")
    }
  }

  private static func announce(_ address: SocketAddress, _ whom: StaticString, _ options: Options, _ log: Log) {
    log.write(.notice) { line in
      line.append("serving ")
      line.append(quoting: options.root)
      line.append(whom)
      line.append(" on ")
      address.format(into: &line)
    }
  }

  /// Before anything is made: what it makes has to belong to the user.
  private static func become(_ name: [UInt8]) -> Bool {
    do throws(Errno) {
      guard let account = try Account.find(name) else {
        complain(about: name, "cannot serve as this user", "there is none of that name in /etc/passwd")
        return false
      }
      try account.become()
      return true
    } catch {
      complain(about: name, "cannot serve as this user", error.name)
      return false
    }
  }

  /// After everything outside of the folder has been opened. A kernel that cannot do it is no reason not to
  /// serve: paths are still resolved beneath the folder.
  ///
  /// What it still needs outside: to remove its control socket at the end, and to read its options again.
  private static func confine(
    to root: PosixDirectory, _ options: Options, _ control: ControlPlace?, _ log: Log
  ) {
    do throws(Errno) {
      var reading: PosixDirectory?
      if let file = options.file { reading = try PosixDirectory.open(split(file).folder, confined: false) }
      let version = try root.confineProcess(
        writing: !options.server.isReadOnly, removing: control?.folder, reading: reading)
      log.write(.info) {
        $0.append("confined to the folder by Landlock ")
        $0.append(decimal: UInt64(version))
      }
    } catch {
      log.write(.warning) {
        $0.append("not confined to the folder: Landlock: ")
        $0.append(error.name)
        $0.append(" (it takes Linux 5.19 with Landlock switched on)")
      }
    }
  }

  /// - Returns: nil when there is no place for one: a read-only folder has none of its own.
  private static func controlPlace(_ options: Options, _ store: Store) throws(Errno) -> ControlPlace? {
    guard let path = options.control else {
      return store.ownFolder.map { ControlPlace(folder: $0, name: [UInt8]("control")) }
    }
    let (folder, name) = split(path)
    return ControlPlace(folder: try PosixDirectory.open(folder, confined: false), name: name)
  }

  /// Parses the same command line again: the file that it names may say something else now.
  private static func reload(
    _ arguments: [[UInt8]], _ before: Options, _ descriptors: Int, _ log: Log
  ) -> (configuration: ServerConfiguration?, note: [UInt8]) {
    var after: Options
    do throws(UsageError) {
      guard case .serve(let parsed) = try Options.parse(arguments) else { return (nil, []) }
      after = parsed
    } catch {
      return (nil, [UInt8]("the options were left as they are: ") + error.text)
    }
    log.threshold = after.logLevel
    limitConnections(&after.server, descriptors, log)
    var note = [UInt8]("the limits are those of the options now")
    let old = before.server
    let new = after.server
    if new.listen != old.listen || new.listenForQt != old.listenForQt || new.metrics != old.metrics
      || new.workers != old.workers || new.memory != old.memory
      || new.isReadOnly != old.isReadOnly || after.root != before.root || after.control != before.control
    {
      note.append("; addresses, workers, memory, the folder and --read-only change with a restart only")
    }
    return (new, note)
  }

  /// A path as its folder and its last name.
  static func split(_ path: [UInt8]) -> (folder: [UInt8], name: [UInt8]) {
    guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return ([UInt8]("."), path) }
    return (slash == 0 ? [UInt8]("/") : Array(path[..<slash]), Array(path[(slash + 1)...]))
  }

  /// A connection needs a descriptor and its files need some. One that is refused hears that the server is
  /// busy; one that nobody can accept hears nothing at all.
  private static func limitConnections(_ server: inout ServerConfiguration, _ descriptors: Int, _ log: Log) {
    let room = max(4, (descriptors - 48) / 2)
    guard descriptors > 0, room < server.connectionsMax else { return }
    server.connectionsMax = room
    log.write(.notice) { line in
      line.append("only ")
      line.append(decimal: UInt64(room))
      line.append(" connections at a time, because the process may open only ")
      line.append(decimal: UInt64(descriptors))
      line.append(" files")
    }
  }

  private static func open(_ options: Options) -> ServedFolder? {
    do throws(ServedFolderError) {
      return try ServedFolder(options.root, isReadOnly: options.server.isReadOnly)
    } catch {
      var text = error.sentence(options.root)
      if case .cannotPrepare = error { text.append("; use --read-only to serve a folder that cannot be written") }
      complain(text)
      return nil
    }
  }

  /// Written whole under another name, then renamed, so that a reader never sees half a number.
  private static func write(port: UInt16, to path: [UInt8]) -> Bool {
    let (folder, name) = split(path)
    var text: [UInt8] = []
    text.append(decimal: UInt64(port))
    text.append("\n")
    let temporary = name + [UInt8](".new")
    do throws(Errno) {
      let directory = try PosixDirectory.open(folder, confined: false)
      let file = try directory.openFile(temporary, .create, permissions: 0o644)
      try file.truncate(to: 0)
      let result: Result<Void, Errno> = text.withUnsafeBytes { raw in
        do throws(Errno) { return .success(try file.write(raw, at: 0)) } catch { return .failure(error) }
      }
      try result.get()
      try directory.rename(temporary, to: directory, as: name, replacing: true)
      return true
    } catch {
      complain(about: path, "cannot write the port file", error.name)
      return false
    }
  }

  private static func say(_ text: [UInt8]) -> Int32 {
    do throws(Errno) {
      try StandardOutput.write(text)
      return 0
    } catch { return 1 }
  }

  private static func complain(about path: [UInt8], _ what: StaticString, _ why: StaticString) {
    var text: [UInt8] = []
    text.append(quoting: path)
    text.append(": ")
    text.append(what)
    text.append(": ")
    text.append(why)
    complain(text)
  }

  private static func complain(_ text: [UInt8]) {
    Log(threshold: .error).write(.error) { $0.append(contentsOf: text) }
  }
}
