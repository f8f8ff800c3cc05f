// The form of every error line.

internal import SpliceBase

/// "splice: PATH: TEXT" and a newline: always one line that a terminal shows, whatever bytes are in it.
///
/// - Parameter path: what it is about; left out when empty.
package func errorLine(path: [UInt8], text: [UInt8]) -> [UInt8] {
  var line = [UInt8]("splice: ")
  if !path.isEmpty {
    line.append(visible: path)
    line.append(": ")
  }
  line.append(visibleText: text)
  line.append("\n")
  return line
}
