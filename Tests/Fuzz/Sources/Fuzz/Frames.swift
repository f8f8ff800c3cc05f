// Bytes of a connection, in either direction: whatever they are, and however they arrive.

internal import SpliceBase
internal import SpliceWire

extension Target {
  static let frames = Target(name: "frames", seeds: { FrameSeeds.all }) { input in
    var choices = Choices(input)
    let cut = Int(choices.byte()) + 1
    let stream = choices.rest()
    let whole = FrameReading(stream, pieces: [stream.count])
    let parts = FrameReading(stream, pieces: [cut, 1, 2, 17, cut])
    check(whole == parts, "the same bytes mean something else when they arrive in pieces")
    check(whole.again == nil || whole.again == whole.messages, "what was read and written again differs")
  }
}

/// What the decoder makes of a whole stream.
private struct FrameReading: Equatable {
  /// The frames that were understood, each in its own bytes.
  var messages: [[UInt8]] = []
  /// The same after its fields were decoded and encoded; nil once a body was refused.
  var again: [[UInt8]]? = []
  var failure: WireError?

  init(_ stream: [UInt8], pieces: [Int]) {
    var decoder = FrameDecoder()
    var data: (prefix: DataPrefix, bytes: [UInt8])?
    for piece in cut(stream, into: pieces) where failure == nil {
      piece.withUnsafeBytes { input in
        var position = 0
        do throws(WireError) {
          while true {
            let before = position
            let event = try decoder.next(input, &position)
            check(position >= before && position <= input.count, "the decoder left its input")
            switch event {
            case .needMore:
              check(position == input.count, "the decoder wants more and has not taken what there is")
              return
            case .message(let header, let body): take(header, body)
            case .dataBegins(let prefix):
              check(data == nil, "a DATA frame inside another")
              check((1...Limits.dataPayloadMax).contains(prefix.count), "DATA of \(prefix.count) bytes")
              data = (prefix, [])
            case .dataPiece(let range, let isLast):
              guard var begun = data else { broken("a piece without a DATA frame") }
              data = nil
              begun.bytes += input[range]
              check(
                isLast == (begun.bytes.count == begun.prefix.count), "the last piece is the one that ends it")
              if isLast {
                var frame: [UInt8] = []
                begun.prefix.append(to: &frame)
                messages.append(frame + begun.bytes)
                again?.append(frame + begun.bytes)
              } else {
                data = begun
              }
            }
          }
        } catch { failure = error }
      }
    }
  }

  private mutating func take(_ header: FrameHeader, _ body: [UInt8]) {
    check(body.count == header.length && body.count <= header.type.bodyMax, "a body of \(body.count) bytes")
    var frame: [UInt8] = []
    header.append(to: &frame)
    messages.append(frame + body)
    // Both sides: what a client may say and what a server may say, whatever the flags.
    var encoded: [UInt8]?
    do throws(WireError) {
      encoded = try reencoded(header, body)
    } catch { again = nil }
    if let encoded { again?.append(frame + encoded) } else { again = nil }
  }

  private func reencoded(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) -> [UInt8]? {
    let isReply = header.flags.contains(.reply)
    switch header.type {
    case .hello: return encode(try Hello(body: body))
    case .offer: return encode(try Offer(body: body))
    case .have: return encode(try Have(body: body))
    case .probe: return encode(try Probe(body: body))
    case .chain: return encode(try Chain(body: body))
    case .resume: return encode(try Resume(body: body))
    case .ack: return encode(try Ack(body: body))
    case .repeat: return encode(try Repeat(body: body))
    case .commit: return encode(try Commit(body: body))
    case .committed: return encode(try Committed(body: body))
    case .want: return encode(try Want(body: body))
    case .give: return encode(try Give(body: body))
    case .end: return encode(try End(body: body))
    case .list where isReply: return encode(try Listing(body: body))
    case .stat where isReply: return encode(try Information(body: body))
    case .verify where isReply: return encode(try Verification(body: body))
    case .list, .stat, .remove, .verify, .discard:
      var frame: [UInt8] = []
      try PathRequest(body: body, of: header.type).append(
        to: &frame, type: header.type, stream: header.stream)
      return Array(frame[FrameHeader.byteCount...])
    case .error:
      // A code of a newer server is read as another one, and what is too long is cut: but only once.
      let first = try ErrorMessage(body: body)
      check(
        try ErrorMessage(body: encode(first)) == first || encode(first).count < body.count,
        "ERROR reads differently")
      return body
    case .sessions where isReply: return encode(try SessionList(body: body))
    case .kick: return encode(try Kick(body: body))
    case .drain where isReply: return encode(try DrainState(body: body))
    case .partials where isReply: return encode(try PartialList(body: body))
    case .reload where isReply: return encode(try ReloadNote(body: body))
    case .ping, .cancel, .sessions, .drain, .partials, .reload: return body
    case .data: broken("DATA came as a message")
    }
  }

  private func encode<Body: Message>(_ message: Body) -> [UInt8] {
    var body: [UInt8] = []
    message.appendBody(to: &body)
    return body
  }
}

/// One frame of every kind, alone and after each other.
enum FrameSeeds {
  static var all: [[UInt8]] {
    let frames = single
    return frames.map { [0xFF] + FrameDecoder.magic + $0 } + [[3] + FrameDecoder.magic + frames.joined()]
  }

  private static var single: [[UInt8]] {
    let path = [UInt8]("photos/a.raw")
    let time = Timestamp(seconds: 1_700_000_000, nanoseconds: 5)
    let digest = Digest(high: 1, low: 2)
    let upload = UploadID(bytes: [UInt8](repeating: 7, count: UploadID.byteCount))
    var hello = Hello()
    hello.agent = [UInt8]("fuzz")
    let listed = ListEntry(kind: .file, mode: 0o644, size: 5, modified: time, name: [UInt8]("a"))
    let partial = PartialEntry(path: path, size: 9, received: 3, ageSeconds: 1, origin: [], isActive: true)
    var session = SessionEntry(id: 7)
    session.path = path
    return [
      frame(hello),
      frame(
        Offer(policy: .replace, mode: 0o644, size: 5, modified: time, upload: upload, fence: 1, path: path)),
      frame(Have(state: .partial, blockSize: Limits.blockSize, bytes: 3, proof: digest, freeSpace: 9)),
      frame(Probe(blockCounts: [1, 2, 4])), frame(Chain(digests: [digest, .zero])),
      frame(Resume(from: 3, proof: digest)), data("hello", digest), data("world", nil),
      frame(Ack(received: 3, verified: 2, durable: 1)), frame(Repeat(offset: 1 << 20)),
      frame(Commit(size: 5, proof: digest)),
      frame(Committed(size: 5, proof: digest, version: 1)),
      frame(Want(held: 3, proof: digest, path: path), flags: .start),
      frame(
        Give(proved: true, mode: 0o600, size: 5, modified: time, blockSize: Limits.blockSize, version: 3)),
      frame(End(size: 5, proof: digest)), request(.list, path), request(.stat, path), request(.remove, path),
      request(.verify, path), request(.discard, path),
      frame(Listing(entries: [listed]), flags: [.reply, .more]),
      frame(
        Information(
          kind: .file, mode: 0o644, size: 5, modified: time, version: 1, proof: digest, partialReceived: 2),
        flags: .reply),
      frame(Verification(state: .damaged, size: 5, proof: digest, damagedFrom: 1), flags: .reply),
      frame(ErrorMessage(.locked, path: path, "no")), frame(SessionList(entries: [session]), flags: .reply),
      frame(Kick(id: 7)), frame(DrainState(transfers: 1, isEnding: true), flags: .reply),
      frame(PartialList(entries: [partial]), flags: .reply), frame(ReloadNote(text: path), flags: .reply),
      plain(.ping), plain(.cancel), plain(.sessions), plain(.partials), plain(.drain), plain(.reload),
    ]
  }

  private static func frame<Body: Message>(_ message: Body, flags: FrameFlags = []) -> [UInt8] {
    var output: [UInt8] = []
    message.append(to: &output, stream: 1, flags: flags)
    return output
  }

  private static func request(_ type: FrameType, _ path: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    PathRequest(path: path).append(to: &output, type: type, stream: 1)
    return output
  }

  private static func plain(_ type: FrameType) -> [UInt8] {
    var output: [UInt8] = []
    FrameHeader(type, length: 0, stream: 1).append(to: &output)
    return output
  }

  private static func data(_ text: String, _ digest: Digest?) -> [UInt8] {
    var output: [UInt8] = []
    DataPrefix(stream: 1, offset: 0, count: text.utf8.count, blockDigest: digest).append(to: &output)
    return output + text.utf8
  }
}
