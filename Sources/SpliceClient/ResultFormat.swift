// What became of one file, as a line for people and as an object for scripts.

internal import SpliceBase

/// Which way a run moves bytes; only words depend on it.
package enum Direction: Sendable {
  case sending
  case receiving
}

extension FileResult {
  /// "photos/a.jpg: 12.3 MB, resumed from 8.0 MB, 4.3 MB sent in 0.52 s" and a newline; nil for a file that
  /// failed, which has an error line instead.
  package func textLine(_ direction: Direction) -> [UInt8]? {
    var line: [UInt8] = []
    line.append(visible: path)
    line.append(": ")
    switch outcome {
    case .failed: return nil
    case .alreadyThere:
      line.append("already there, ")
      line.append(size: size)
    case .done:
      line.append(size: size)
      if let salvagedTo {
        line.append(", salvaged to ")
        line.append(size: salvagedTo)
      } else if resumedFrom > 0 {
        line.append(", resumed from ")
        line.append(size: resumedFrom)
      }
      line.append(", ")
      line.append(size: sent)
      line.append(direction == .sending ? " sent in " : " received in ")
      line.append(duration: milliseconds)
      if attempts > 1 {
        line.append(", ")
        line.append(decimal: UInt64(attempts))
        line.append(" attempts")
      }
      // The server promises durability; whoever is not given it should know.
      if direction == .sending, !isDurable { line.append(", not yet on stable storage") }
    }
    line.append("\n")
    return line
  }

  /// One JSON object and a newline. The keys are a contract: see design.md, section 8.
  package var jsonLine: [UInt8] {
    var object = JSONObject()
    object.add("path", text: path)
    object.add("size", number: size)
    object.add("sent", number: sent)
    object.add("resumed_from", number: resumedFrom)
    object.add("salvaged_to", number: salvagedTo)
    object.add("digest", digest: digest)
    object.add("durable", isTrue: isDurable)
    object.add("seconds", secondsOf: milliseconds)
    object.add("attempts", number: UInt64(attempts))
    switch outcome {
    case .done: object.add("status", word: "done")
    case .alreadyThere: object.add("status", word: "already there")
    case .failed(let error):
      object.add("status", word: "failed")
      object.add("error", text: error.text)
    }
    return object.line
  }
}
