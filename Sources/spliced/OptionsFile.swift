// Options that are kept in a file, so that they can be read again while the daemon runs.

internal import SpliceBase
internal import SpliceEngine
internal import SpliceSystem

enum OptionsFile {
  private static let sizeMax = 64 << 10

  /// The last `--options` of a command line.
  ///
  /// - Parameter id: of that option in `table`.
  static func named(in arguments: [[UInt8]], _ table: [LongOption], id: Int32) -> [UInt8]? {
    var name: [UInt8]?
    var parser = OptionParser(arguments[...], options: table)
    while let argument = parser.next() {
      if case .option(id, let value) = argument { name = value }
    }
    return name
  }

  /// The lines of a file as arguments. A line is `NAME`, `NAME VALUE` or `NAME = VALUE`, with or without "--" in
  /// front; empty lines and lines that begin with "#" say nothing.
  static func read(_ path: [UInt8]) throws(UsageError) -> [[UInt8]] {
    let text: [UInt8]
    do throws(Errno) {
      // Through its own folder, which is what a confined daemon may still open.
      let (folder, name) = Daemon.split(path)
      let file = try PosixDirectory.open(folder, confined: false).openFile(name, .read, permissions: 0)
      guard try file.status().size <= UInt64(sizeMax) else { throw .fileTooLarge }
      text = try contents(file)
    } catch {
      throw UsageError("the options cannot be read from", path)
    }
    var arguments: [[UInt8]] = []
    for line in text.split(separator: UInt8(ascii: "\n")) {
      if let argument = argument(trimmed(line)) { arguments.append(argument) }
    }
    return arguments
  }

  private static func contents(_ file: any File) throws(Errno) -> [UInt8] {
    var failure: Errno?
    let bytes = [UInt8](unsafeUninitializedCapacity: sizeMax) { buffer, filled in
      filled = 0
      do throws(Errno) {
        filled = try file.readAll(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  private static func argument(_ line: ArraySlice<UInt8>) -> [UInt8]? {
    guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
    var argument = [UInt8]("--")
    let text = line.drop { $0 == UInt8(ascii: "-") }
    guard let end = text.firstIndex(where: { isBlank($0) || $0 == UInt8(ascii: "=") }) else {
      return argument + text
    }
    argument += text[..<end]
    argument.append("=")
    var value = trimmed(text[end...])
    if value.first == UInt8(ascii: "=") { value = trimmed(value.dropFirst()) }
    return argument + value
  }

  private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var rest = text.drop(while: isBlank)
    while let last = rest.last, isBlank(last) { rest.removeLast() }
    return rest
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
  }
}
