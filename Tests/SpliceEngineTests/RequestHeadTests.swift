// The heads of HTTP requests, whole, in pieces, and wrong.

import Testing

@testable import SpliceEngine

@Suite struct RequestHeadTests {
  private func verdict(_ text: String, pieces: Int = .max) -> RequestHead.Verdict {
    var head = RequestHead()
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let verdict = Array(rest.prefix(pieces)).withUnsafeBytes { head.append($0) }
      if verdict != .needMore { return verdict }
      rest = rest.dropFirst(pieces)
    }
    return .needMore
  }

  @Test(arguments: [
    ("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", RequestHead.Verdict.page),
    ("GET /metrics HTTP/1.0\n\n", .page), ("GET /metrics?x=1 HTTP/1.1\r\n\r\n", .page),
    ("GET / HTTP/1.1\r\n\r\n", .notFound), ("GET /metrics/.. HTTP/1.1\r\n\r\n", .notFound),
    ("POST /metrics HTTP/1.1\r\n\r\n", .badMethod), ("get /metrics HTTP/1.1\r\n\r\n", .badMethod),
    ("GET /metrics\r\n\r\n", .malformed), ("\r\n\r\n", .malformed), ("GET  /metrics HTTP/1.1\r\n\r\n", .malformed),
    ("GET /metrics SPLC/1\r\n\r\n", .malformed), (" /metrics HTTP/1.1\r\n\r\n", .malformed),
    ("GET /metrics HTTP/1.1\r\nHost: a\r\n", .needMore), ("", .needMore), ("GET /metrics HTTP/1.1\r\n", .needMore),
  ])
  func heads(_ text: String, _ expected: RequestHead.Verdict) {
    for pieces in [1, 2, 3, 7, .max] { #expect(verdict(text, pieces: pieces) == expected, "\(pieces) bytes a piece") }
  }

  /// No line and no number of lines takes more memory than the limit.
  @Test func endlessHeadsAreEnded() {
    let size = RequestHead.sizeMax
    #expect(verdict(String(repeating: "a", count: size - 1)) == .needMore)
    #expect(verdict(String(repeating: "a", count: size)) == .tooLong)
    #expect(verdict("GET /metrics HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: size)) == .tooLong)
    var head = RequestHead()
    _ = [UInt8](repeating: 65, count: 1 << 20).withUnsafeBytes { head.append($0) }
    #expect(head.count == size)
  }
}
