// The end of each file on standard output: a line for people, or with `--json` one object for scripts.

internal import SpliceClient

/// Says at the end of each file what became of it, to a script or a person.
struct ResultReport {
  let format: ReportOptions.Format
  let isQuiet: Bool
  let direction: Direction
  let output: ResultOutput

  func write(_ result: FileResult) {
    switch format {
    case .json: output.write(result.jsonLine)
    case .text:
      if !isQuiet, let line = result.textLine(direction) { output.write(line) }
    }
  }
}
