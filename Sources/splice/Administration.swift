// The commands for whoever runs a daemon: over its control socket.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// Where the socket is: what `--control` says, or the environment, or where a packaged daemon has it.
private func controlPath(_ given: [UInt8]?) -> [UInt8] {
  let path = given ?? Process.environment("SPLICE_CONTROL") ?? [UInt8]("/run/spliced/control")
  // The folder that is served will do.
  return LocalNames.isFolder(path) ? path + [UInt8]("/.splice/control") : path
}

/// Sends requests one after the other and hands each answer to `show`.
private func administer(
  _ control: [UInt8]?, _ tasks: [(RunReporter) -> any ClientTask]
) -> ExitStatus {
  let reporter = RunReporter(ReportOptions(format: .text, isQuiet: true), direction: .receiving)
  return run(.local(controlPath(control)), retrySeconds: 0, ListedSource(tasks.map { $0(reporter) }), reporter)
}

/// A request and what to do with the parts of its answer.
private func task(
  _ type: FrameType, body: @escaping (inout [UInt8], UInt64) -> Void,
  _ show: @escaping ([[UInt8]]) throws(WireError) -> Void
) -> (RunReporter) -> any ClientTask {
  { reporter in
    ControlTask(type, request: body) { answer in
      switch answer {
      case .failure(let error): reporter.fail(error)
      case .success(let bodies):
        do throws(WireError) {
          try show(bodies)
        } catch {
          reporter.fail(
            ClientError(.malformed, path: [], text: [UInt8](error.sentence), isResumable: false))
        }
      }
    }
  }
}

private func plainRequest(_ type: FrameType) -> (inout [UInt8], UInt64) -> Void {
  { output, stream in FrameHeader(type, length: 0, stream: stream).append(to: &output) }
}

func runSessions(_ command: SessionsCommand) -> ExitStatus {
  while true {
    let output = ResultOutput()
    let status = administer(
      command.control,
      [
        task(.sessions, body: plainRequest(.sessions)) { (bodies) throws(WireError) in
          var text: [UInt8] = []
          if command.isWatching { text.append("\u{1B}[H\u{1B}[2J") }
          if command.format == .text { text.append(SessionEntry.tableHeader) }
          for body in bodies {
            for entry in try SessionList(body: body).entries {
              text += command.format == .json ? entry.jsonLine : entry.tableLine
            }
          }
          output.write(text)
        }
      ])
    if output.hasFailed { return .failed }
    if !command.isWatching || status != .done { return status }
    Process.sleep(milliseconds: 2000)
  }
}

func runKick(_ command: KickCommand) -> ExitStatus {
  administer(
    command.control,
    command.ids.map { id in
      task(.kick, body: { Kick(id: id).append(to: &$0, stream: $1) }) { (_) throws(WireError) in }
    })
}

func runDrain(_ command: ControlCommand) -> ExitStatus {
  let output = ResultOutput()
  let status = administer(
    command.control,
    [
      task(.drain, body: plainRequest(.drain)) { (bodies) throws(WireError) in
        let state = try DrainState(body: bodies.first ?? [])
        var text = [UInt8]("no new clients; ")
        if state.isEnding {
          text.append("the daemon ends now")
        } else {
          text.append("the daemon ends after the transfers under way: ")
          text.append(decimal: UInt64(state.transfers))
          text.append("; once more to end now")
        }
        text.append("\n")
        output.write(text)
      }
    ])
  return output.hasFailed ? .failed : status
}

func runReload(_ command: ControlCommand) -> ExitStatus {
  let output = ResultOutput()
  let status = administer(
    command.control,
    [
      task(.reload, body: plainRequest(.reload)) { (bodies) throws(WireError) in
        output.write(try ReloadNote(body: bodies.first ?? []).text + [UInt8(ascii: "\n")])
      }
    ])
  return output.hasFailed ? .failed : status
}

func runPartials(_ command: PartialsCommand) -> ExitStatus {
  if !command.removed.isEmpty {
    return administer(
      command.control,
      command.removed.map { path in
        task(.discard, body: { PathRequest(path: path).append(to: &$0, type: .discard, stream: $1) }) {
          (_) throws(WireError) in
        }
      })
  }
  let output = ResultOutput()
  let status = administer(
    command.control,
    [
      task(.partials, body: plainRequest(.partials)) { (bodies) throws(WireError) in
        var text: [UInt8] = []
        if command.format == .text { text.append(PartialEntry.tableHeader) }
        for body in bodies {
          for entry in try PartialList(body: body).entries {
            text += command.format == .json ? entry.jsonLine : entry.tableLine
          }
        }
        output.write(text)
      }
    ])
  return output.hasFailed ? .failed : status
}
