// From a parsed command to its exit status: what shows the results is wired to what makes them.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem

/// - Parameter arguments: the program's name first.
func runProgram(_ arguments: [[UInt8]]) -> ExitStatus {
  // Before the first write: a closed pipe must be an error that is handled, not the end in mid-transfer.
  Process.ignoreBrokenPipe()
  let command: Command
  do throws(UsageError) {
    command = try Command(Array(arguments.dropFirst()))
  } catch {
    ErrorLine.write(error)
    return .usage
  }
  return switch command {
  case .help(let name): printText(name?.help ?? generalHelp)
  case .version: printText(versionText)
  case .put(let command): runPut(command)
  case .get(let command): runGet(command)
  case .list(let command): runList(command)
  case .stat(let command): runStat(command)
  case .remove(let command): runRemove(command)
  case .verify(let command): runVerify(command)
  }
}

private func printText(_ text: StaticString) -> ExitStatus {
  let output = ResultOutput()
  output.write([UInt8](text))
  return output.hasFailed ? .failed : .done
}

func runPut(_ command: PutCommand) -> ExitStatus { runNothing() }

func runGet(_ command: GetCommand) -> ExitStatus { runNothing() }

func runList(_ command: ListCommand) -> ExitStatus { runNothing() }

func runStat(_ command: StatCommand) -> ExitStatus { runNothing() }

func runRemove(_ command: RemoveCommand) -> ExitStatus { runNothing() }

func runVerify(_ command: VerifyCommand) -> ExitStatus { runNothing() }

private func runNothing() -> ExitStatus {
  ErrorLine.write(path: [], [UInt8]("this build has no client engine yet"))
  return .failed
}
