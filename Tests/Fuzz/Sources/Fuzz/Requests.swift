// Requests of other protocols, whatever they are and however they arrive: Qt messages, heads of HTTP.

internal import SpliceBase
@testable internal import SpliceEngine
internal import SpliceWire

extension Target {
  static let qtRequests = Target(name: "qt-requests", seeds: { QtBytes.seeds }) { input in
    var choices = Choices(input)
    let cut = Int(choices.byte()) + 1
    let stream = choices.rest()
    check(
      QtReading(stream, pieces: [stream.count]) == QtReading(stream, pieces: [cut, 1, 2, 17, cut]),
      "the same Qt bytes mean something else when they arrive in pieces")
  }

  static let metricsRequests = Target(
    name: "metrics-requests",
    seeds: {
      ["GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?a HTTP/1.0\n\n", "POST / HTTP/1.1\r\n\r\n", "\r\n\r\n"]
        .map { [2] + [UInt8]($0.utf8) }
    }
  ) { input in
    var choices = Choices(input)
    let cut = Int(choices.byte()) + 1
    let stream = choices.rest()
    let whole = verdict(stream, pieces: [stream.count])
    check(whole == verdict(stream, pieces: [cut, 1, 2, 17]), "the same head means something else in pieces")
    let line = String(decoding: stream.prefix { $0 != 10 && $0 != 13 }, as: UTF8.self)
    check(whole != .page || line.hasPrefix("GET /metrics"), "the numbers for '\(line)'")
  }

  private static func verdict(_ stream: [UInt8], pieces: [Int]) -> RequestHead.Verdict {
    var head = RequestHead()
    for piece in cut(stream, into: pieces) {
      let verdict = piece.withUnsafeBytes { head.append($0) }
      check(head.count <= RequestHead.sizeMax, "a head of \(head.count) bytes is kept")
      if verdict != .needMore { return verdict }
    }
    return .needMore
  }
}

/// What the decoder makes of a whole stream.
private struct QtReading: Equatable {
  var requests: [QtRequest] = []
  var failure: QtError?
  var isBetweenMessages = false

  init(_ stream: [UInt8], pieces: [Int]) {
    var decoder = QtDecoder()
    for piece in cut(stream, into: pieces) where failure == nil {
      piece.withUnsafeBytes { input in
        var position = 0
        do throws(QtError) {
          while let request = try decoder.next(input, &position) {
            check(position <= input.count, "the decoder left its input")
            check((request.path?.count ?? 0) <= 3 * Limits.pathMax, "a path of \(request.path?.count ?? 0) bytes")
            requests.append(request)
          }
          check(position == input.count, "the decoder wants more and has not taken what there is")
        } catch { failure = error }
      }
    }
    // After a failure the rest of it is of no use.
    if failure == nil { isBetweenMessages = decoder.isBetweenMessages }
  }
}

/// Messages as the clients write them.
enum QtBytes {
  enum Value {
    case number(Int64)
    /// Written as type int, of four bytes.
    case short(Int32)
    case text([UInt8])
    case null
  }

  static func message(_ id: Int64, _ entries: [(String, Value)]) -> [UInt8] {
    var output = bigEndian(UInt64(bitPattern: id)) + bigEndian(UInt32(entries.count))
    for (key, value) in entries {
      output += text([UInt8](key.utf8))
      switch value {
      case .number(let number): output += bigEndian(UInt32(4)) + [0] + bigEndian(UInt64(bitPattern: number))
      case .short(let number): output += bigEndian(UInt32(2)) + [0] + bigEndian(UInt32(bitPattern: number))
      case .text(let bytes): output += bigEndian(UInt32(10)) + [0] + text(bytes)
      case .null: output += bigEndian(UInt32(10)) + [0] + bigEndian(UInt32.max)
      }
    }
    return output
  }

  static var seeds: [[UInt8]] {
    let path = Value.text([UInt8]("a/b".utf8))
    let messages = [
      message(100, [("file_prjpath", path)]), message(101, [("file_size", .number(22)), ("file_pos", .short(0))]),
      message(200, [("file_prjpath", path), ("file_pos", .number(10)), ("file_md5", .null)]),
      message(202, [("reply_status", .number(0))]), message(203, [("reply_status", .short(0))]), message(7, []),
    ]
    return messages.map { [5] + $0 } + [[0] + messages.joined()]
  }

  /// ASCII as a QString.
  private static func text(_ bytes: [UInt8]) -> [UInt8] {
    bigEndian(UInt32(2 * bytes.count)) + bytes.flatMap { [0, $0] }
  }

  private static func bigEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<Number.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}
