// From a parsed command to its exit status: what shows the results is wired to what makes them.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// - Parameter arguments: the program's name first.
func runProgram(_ arguments: [[UInt8]]) -> ExitStatus {
  // Before the first write: a closed pipe must be an error that is handled, not the end in mid-transfer.
  Process.ignoreBrokenPipe()
  _ = Process.raiseDescriptorLimit()
  Process.expectDescriptors(Limits.descriptorsExpected)
  let command: Command
  do throws(UsageError) {
    command = try Command(Array(arguments.dropFirst()))
  } catch {
    ErrorLine.write(error)
    return .usage
  }
  return switch command {
  case .help(let name): printText([UInt8](name?.help ?? generalHelp))
  case .version: printText([UInt8]("splice ") + [UInt8](programVersion) + [UInt8]("\n"))
  case .put(let command): runPut(command)
  case .get(let command): runGet(command)
  case .list(let command): runList(command)
  case .stat(let command): runStat(command)
  case .remove(let command): runRemove(command)
  case .verify(let command): runVerify(command)
  case .sessions(let command): runSessions(command)
  case .kick(let command): runKick(command)
  case .drain(let command): runDrain(command)
  case .partials(let command): runPartials(command)
  case .reload(let command): runReload(command)
  }
}

private func printText(_ text: [UInt8]) -> ExitStatus {
  let output = ResultOutput()
  output.write(text)
  return output.hasFailed ? .failed : .done
}

/// Runs tasks against a server until all have ended.
func run(
  _ server: ServerPlace, retrySeconds: UInt32, bytesPerSecond: UInt64 = 0, _ source: any TaskSource,
  _ reporter: RunReporter
) -> ExitStatus {
  do throws(UVError) {
    let run = try ClientRun(
      server, retrySeconds: UInt64(retrySeconds), source: source,
      observer: reporter)
    run.bytesPerSecond = bytesPerSecond
    try run.obeySignals()
    try run.run()
    let status = reporter.finish()
    return run.isInterrupted ? .interrupted : status
  } catch {
    var text = [UInt8]("cannot start an event loop: ")
    error.describe(into: &text)
    reporter.fail(ClientError(.cannotConnect, path: [], text: text, isResumable: false))
    return reporter.finish()
  }
}

func runPut(_ command: PutCommand) -> ExitStatus {
  let reporter = RunReporter(command.report, direction: .sending)
  let policy: OfferPolicy =
    switch command.existing {
    case .replace: .replace
    case .keep: .ifAbsent
    case .refuse: .create
    }
  let tree = LocalTree(
    operands: command.operands, destination: command.destination, isRecursive: command.isRecursive,
    observer: reporter)
  let source = UploadSource(tree, policy: policy, DigestCache(path: command.cache.folder))
  return run(
    command.destination.server, retrySeconds: command.retrySeconds, bytesPerSecond: command.bytesPerSecond, source,
    reporter)
}

func runGet(_ command: GetCommand) -> ExitStatus {
  let reporter = RunReporter(command.report, direction: .receiving)
  let isFolder = command.local.map(LocalNames.isFolder) ?? false
  let source = DownloadSource(
    isRecursive: command.isRecursive, DigestCache(path: CacheChoice.standard.folder), observer: reporter)
  for remote in command.sources {
    let localPath = LocalNames.localPath(of: remote, to: command.local, isFolder: isFolder)
    source.add(remote.path, localPath: localPath)
  }
  return run(
    command.sources[0].server, retrySeconds: command.retrySeconds, bytesPerSecond: command.bytesPerSecond, source,
    reporter)
}

/// Asks one question about each target and prints the answers in order as they come.
private func ask(
  _ type: FrameType, _ targets: [Endpoint],
  _ show: @escaping (RequestTask.Answer, Endpoint, RunReporter) -> Void
) -> ExitStatus {
  let reporter = RunReporter(ReportOptions(format: .text, isQuiet: true), direction: .receiving)
  var tasks: [any ClientTask] = []
  for target in targets {
    tasks.append(
      RequestTask(type, path: target.path.bytes) { answer in
        if case .failed(let error) = answer { reporter.fail(error) } else { show(answer, target, reporter) }
      })
  }
  return run(targets[0].server, retrySeconds: 0, ListedSource(tasks), reporter)
}

/// Escaped on a terminal, exact in a pipe.
private var nameStyle: NameStyle { Terminal.isTerminal(1) ? .visible : .exact }

func runList(_ command: ListCommand) -> ExitStatus {
  let output = ResultOutput()
  let status = ask(.list, [command.folder]) { answer, _, _ in
    guard case .listing(let entries) = answer else { return }
    for entry in entries.sorted(by: ListEntry.isOrdered) {
      switch command.format {
      case .json: output.write(entry.jsonLine)
      case .text: output.write(command.isLong ? entry.longLine(nameStyle) : entry.shortLine(nameStyle))
      }
    }
  }
  return output.hasFailed ? .failed : status
}

func runStat(_ command: StatCommand) -> ExitStatus {
  let output = ResultOutput()
  let status = ask(.stat, [command.target]) { answer, target, _ in
    guard case .information(let information) = answer else { return }
    let path = target.path.bytes
    output.write(
      command.format == .json
        ? information.jsonLine(path: path) : information.textLines(path: path, nameStyle))
  }
  return output.hasFailed ? .failed : status
}

func runVerify(_ command: VerifyCommand) -> ExitStatus {
  let output = ResultOutput()
  let status = ask(.verify, command.targets) { answer, target, reporter in
    guard case .verification(let verification) = answer else { return }
    let path = target.path.bytes
    output.write(
      command.format == .json ? verification.jsonLine(path: path) : verification.textLine(path: path))
    if verification.state == .damaged {
      var text = [UInt8]("the stored file differs from its record from byte ")
      text.append(decimal: verification.damagedFrom)
      text.append(" on; send it again")
      reporter.fail(ClientError(.digestMismatch, path: path, text: text, isResumable: false))
    }
  }
  return output.hasFailed ? .failed : status
}

func runRemove(_ command: RemoveCommand) -> ExitStatus {
  let reporter = RunReporter(ReportOptions(format: .text, isQuiet: true), direction: .receiving)
  let source = RemoveSource(isRecursive: command.isRecursive)
  for target in command.targets { source.add(target.path.bytes) }
  return run(command.targets[0].server, retrySeconds: 0, source, reporter)
}
