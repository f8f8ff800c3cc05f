// The messages of the deployed Qt programs: as captured, in any pieces, and with lengths that lie.

import SpliceBase
import Testing

@testable import SpliceWire

@Suite("Qt messages") struct QtTests {
  private static let path = Array("a.txt".utf8)
  /// MD5 of "hello resu", as the server of the capture wrote it.
  private static let digits = Array("a576514e9d50aba6fe82a9b190ba732c".utf8)

  private func vector(_ name: String) throws -> [UInt8] {
    try #require(Vectors.qt.first { $0.name == name }).bytes
  }

  /// All messages of the client in one row, and what they say.
  private func requests() throws -> (bytes: [UInt8], expected: [QtRequest]) {
    var upload = QtRequest(id: 100)
    upload.path = Self.path
    var position = QtRequest(id: 101)
    (position.size, position.position) = (22, 0)
    var partial = QtRequest(id: 101)
    (partial.size, partial.position) = (12, 10)
    var download = QtRequest(id: 200)
    (download.path, download.position, download.digest) = (Self.path, 10, Self.digits)
    var content = QtRequest(id: 202)
    content.status = 0
    var tail = QtRequest(id: 203)
    tail.status = 0
    let names = [
      "upload-header", "upload-position", "upload-position-partial", "download-header", "download-content",
      "download-tail",
    ]
    return (try names.flatMap(vector), [upload, position, partial, download, content, tail])
  }

  /// Feeds the pieces one after the other.
  private func decode(_ pieces: [[UInt8]]) throws -> (requests: [QtRequest], isBetween: Bool) {
    var decoder = QtDecoder()
    var found: [QtRequest] = []
    for piece in pieces {
      try piece.withUnsafeBytes { raw in
        var position = 0
        while let request = try decoder.next(raw, &position) { found.append(request) }
        #expect(position == raw.count)
      }
    }
    return (found, decoder.isBetweenMessages)
  }

  @Test func repliesAreThoseOfTheCapture() throws {
    var digest: [UInt8] = []
    var digits = Self.digits[...]
    while !digits.isEmpty {
      digest.append(try #require(UInt8(String(decoding: digits.prefix(2), as: UTF8.self), radix: 16)))
      digits = digits.dropFirst(2)
    }
    let replies: [(String, QtReply)] = [
      ("upload-header-reply-nothing", .uploadHeader(.ok, position: 0, digest: nil)),
      ("upload-header-reply-partial", .uploadHeader(.ok, position: 10, digest: digest)),
      ("upload-position-reply", .status(.uploadPosition, .ok)),
      ("upload-tail", .status(.uploadTail, .ok)),
      ("download-header-reply", .downloadHeader(.ok, size: 12, position: 10)),
      ("download-tail-reply", .status(.downloadTail, .ok)),
    ]
    for (name, reply) in replies {
      var bytes: [UInt8] = []
      reply.append(to: &bytes)
      #expect(try bytes == vector(name), "\(name)")
    }
  }

  @Test func requestsOfTheCaptureAreUnderstoodInARow() throws {
    let (bytes, expected) = try requests()
    let (found, isBetween) = try decode([bytes])
    #expect(found == expected)
    #expect(isBetween)
  }

  /// Where the network cuts, and where it joins, is chance.
  @Test func everySplitGivesTheSameRequests() throws {
    let (bytes, expected) = try requests()
    for cut in 0...bytes.count {
      let (found, isBetween) = try decode([Array(bytes[..<cut]), Array(bytes[cut...])])
      if found != expected || !isBetween { Issue.record("cut at \(cut)") }
    }
    let (single, _) = try decode(bytes.map { [$0] })
    #expect(single == expected)
  }

  @Test func randomSegmentsGiveTheSameRequests() throws {
    let (bytes, expected) = try requests()
    let seed = UInt64.random(in: 1...1_000_000)
    var random = Random(seed: seed)
    for _ in 0..<200 {
      var pieces: [[UInt8]] = []
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = 1 + Int(random.next() % 40)
        pieces.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      #expect(try decode(pieces).requests == expected, "seed \(seed)")
    }
  }

  /// Until the last byte is there nothing is said, and nothing more than a field is kept.
  @Test func properPrefixesNeedMore() throws {
    let bytes = try vector("download-header")
    for count in 0..<bytes.count {
      let (found, isBetween) = try decode([Array(bytes[..<count])])
      #expect(found.isEmpty && isBetween == (count == 0), "\(count) bytes")
    }
  }

  /// A message of one entry.
  private func message(_ key: String, type: UInt32, isNull: UInt8 = 0, _ value: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(integer: Int64(100))
    bytes.append(integer: UInt32(1))
    let text = key.utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    bytes.append(integer: UInt32(text.count))
    bytes += text
    bytes.append(integer: type)
    bytes.append(isNull)
    return bytes + value
  }

  private func text(_ units: [UInt16]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(integer: UInt32(2 * units.count))
    for unit in units { bytes.append(integer: unit) }
    return bytes
  }

  @Test(arguments: ["ä/ö", "日本語", "🚢.bin", "plain"])
  func pathsBecomeUTF8(_ path: String) throws {
    let found = try decode([message("file_prjpath", type: 10, text(Array(path.utf16)))]).requests
    #expect(found.first?.path == Array(path.utf8))
  }

  /// Half a pair of surrogates is no character; as a path it is one that nobody can have.
  @Test(arguments: [[0xD800], [0xDC00], [0xD800, 0x41], [0x41, 0xDBFF], [0xDC00, 0xD800]] as [[UInt16]])
  func brokenUnicodeIsNoPath(_ units: [UInt16]) throws {
    let found = try decode([message("file_prjpath", type: 10, text(units))]).requests
    #expect(found.first?.path == [])
  }

  @Test func otherTypesOfNumbersAreUnderstood() throws {
    let numbers: [(UInt32, [UInt8], Int64)] = [
      (2, [0xFF, 0xFF, 0xFF, 0xFE], -2), (3, [0xFF, 0xFF, 0xFF, 0xFE], 0xFFFF_FFFE),
      (4, [UInt8](repeating: 0xFF, count: 8), -1), (5, [0, 0, 0, 0, 0, 0, 0, 7], 7),
    ]
    for (type, value, expected) in numbers {
      #expect(try decode([message("file_pos", type: type, value)]).requests.first?.position == expected)
    }
    let null = message("file_pos", type: 4, isNull: 1, [UInt8](repeating: 0, count: 8))
    #expect(try decode([null]).requests[0].position == nil)
    #expect(try decode([message("file_pos", type: 0, isNull: 1, [])]).requests[0].position == nil)
    #expect(try decode([message("who knows", type: 2, [0, 0, 0, 1])]).requests == [QtRequest(id: 100)])
  }

  /// No length is believed before it is checked, and no memory is taken for one.
  @Test func lyingLengthsAreRefused() {
    func head(_ entries: UInt32) -> [UInt8] {
      var bytes: [UInt8] = []
      bytes.append(integer: Int64(100))
      bytes.append(integer: entries)
      return bytes
    }
    let number = [UInt8](repeating: 0xFF, count: 4)
    #expect(throws: QtError.tooManyEntries(.max)) { try decode([head(.max)]) }
    #expect(throws: QtError.tooManyEntries(17)) { try decode([head(17)]) }
    #expect(throws: QtError.textTooLong(.max)) { try decode([head(1) + number]) }
    #expect(throws: QtError.textTooLong(130)) { try decode([head(1) + [0, 0, 0, 130]]) }
    #expect(throws: QtError.brokenText) { try decode([head(1) + [0, 0, 0, 3]]) }
    #expect(throws: QtError.textTooLong(0x7FFF_FFFE)) {
      try decode([message("file_prjpath", type: 10, [0x7F, 0xFF, 0xFF, 0xFE])])
    }
    #expect(throws: QtError.unknownType(1024)) { try decode([message("file_pos", type: 1024, [])]) }
    #expect(throws: QtError.badValue) { try decode([message("file_pos", type: 10, text([0x31]))]) }
    #expect(throws: QtError.badValue) { try decode([message("file_prjpath", type: 2, [0, 0, 0, 1])]) }
    #expect(throws: QtError.badValue) {
      try decode([message("file_size", type: 5, [UInt8](repeating: 0xFF, count: 8))])
    }
  }

  /// One wrong byte gives another request, an error, or a wait; never a crash.
  @Test func everyFlippedByteIsSurvived() throws {
    let bytes = try vector("download-header")
    for index in bytes.indices {
      for bit in 0..<8 {
        var damaged = bytes
        damaged[index] ^= 1 << UInt8(bit)
        _ = try? decode([damaged])
      }
    }
  }
}
