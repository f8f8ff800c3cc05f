// The head of an HTTP/1.1 request, as far as one page needs it.

internal import SpliceBase

/// Takes bytes until the empty line behind the header, and says what was asked for.
///
/// Bodies are not read: the connection ends with the answer.
struct RequestHead {
  enum Verdict: Equatable {
    case needMore
    /// GET, for this path.
    case page
    case notFound
    /// Another method than GET.
    case badMethod
    case malformed
    case tooLong
  }

  /// Of the whole head. Prometheus sends 300 bytes.
  static let sizeMax = 4096

  private var bytes: [UInt8] = []

  /// Bytes that have come.
  var count: Int { bytes.count }

  /// - Parameter more: what has come since the last call.
  mutating func append(_ more: UnsafeRawBufferPointer) -> Verdict {
    // A line end may have come in two parts.
    let searched = max(0, bytes.count - 3)
    bytes.append(contentsOf: more.prefix(Self.sizeMax - bytes.count))
    if hasEnd(from: searched) { return verdict }
    return bytes.count == Self.sizeMax ? .tooLong : .needMore
  }

  private func hasEnd(from start: Int) -> Bool {
    var index = start
    while index + 1 < bytes.count {
      if bytes[index] == 10, bytes[index + 1] == 10 { return true }
      if index + 3 < bytes.count, bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13,
        bytes[index + 3] == 10
      {
        return true
      }
      index += 1
    }
    return false
  }

  private var verdict: Verdict {
    let line = bytes.prefix { $0 != 10 && $0 != 13 }
    let words = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false).map { Array($0) }
    guard words.count == 3, words[2].starts(with: "HTTP/1."), !words[0].isEmpty else { return .malformed }
    guard words[0] == "GET" else { return .badMethod }
    let path = Array(words[1].prefix { $0 != UInt8(ascii: "?") })
    return path == "/metrics" ? .page : .notFound
  }
}
