// Bytes to typed messages in one step, as both ends of a connection do it in two.

import SpliceBase
import SpliceWire

/// What a connection's bytes say, with DATA put together again.
enum Parsed: Equatable {
  case hello(Hello, UInt64)
  case offer(Offer, UInt64)
  case have(Have, UInt64)
  case probe(Probe, UInt64)
  case chain(Chain, UInt64)
  case resume(Resume, UInt64)
  case data(DataPrefix, [UInt8])
  case ack(Ack, UInt64)
  case `repeat`(Repeat, UInt64)
  case commit(Commit, UInt64)
  case committed(Committed, UInt64)
  case want(Want, FrameFlags, UInt64)
  case give(Give, UInt64)
  case end(End, UInt64)
  case request(PathRequest, FrameType, UInt64)
  case listing(Listing, FrameFlags, UInt64)
  case information(Information, UInt64)
  case verification(Verification, UInt64)
  case sessions(SessionList, FrameFlags, UInt64)
  case kick(Kick, UInt64)
  case drain(DrainState, UInt64)
  case partials(PartialList, FrameFlags, UInt64)
  case reload(ReloadNote, UInt64)
  /// A message without fields.
  case plain(FrameHeader, [UInt8])
  case error(ErrorMessage, UInt64)

  init(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    let (flags, stream) = (header.flags, header.stream)
    let isReply = flags.contains(.reply)
    switch header.type {
    case .hello: self = .hello(try Hello(body: body), stream)
    case .offer: self = .offer(try Offer(body: body), stream)
    case .have: self = .have(try Have(body: body), stream)
    case .probe: self = .probe(try Probe(body: body), stream)
    case .chain: self = .chain(try Chain(body: body), stream)
    case .resume: self = .resume(try Resume(body: body), stream)
    case .data: self = .plain(header, body)
    case .ack: self = .ack(try Ack(body: body), stream)
    case .repeat: self = .repeat(try Repeat(body: body), stream)
    case .commit: self = .commit(try Commit(body: body), stream)
    case .committed: self = .committed(try Committed(body: body), stream)
    case .want: self = .want(try Want(body: body), flags, stream)
    case .give: self = .give(try Give(body: body), stream)
    case .end: self = .end(try End(body: body), stream)
    case .list where isReply: self = .listing(try Listing(body: body), flags, stream)
    case .stat where isReply: self = .information(try Information(body: body), stream)
    case .verify where isReply: self = .verification(try Verification(body: body), stream)
    case .remove where isReply, .ping, .cancel: self = .plain(header, body)
    case .sessions where isReply: self = .sessions(try SessionList(body: body), flags, stream)
    case .kick where !isReply: self = .kick(try Kick(body: body), stream)
    case .drain where isReply: self = .drain(try DrainState(body: body), stream)
    case .partials where isReply: self = .partials(try PartialList(body: body), flags, stream)
    case .reload where isReply: self = .reload(try ReloadNote(body: body), stream)
    case .sessions, .kick, .drain, .partials, .reload: self = .plain(header, body)
    case .discard where isReply: self = .plain(header, body)
    case .list, .stat, .remove, .verify, .discard:
      // LIST may carry `more` without `reply`; it means nothing there, but it is not lost here.
      if flags.isEmpty {
        self = .request(try PathRequest(body: body, of: header.type), header.type, stream)
      } else {
        _ = try PathRequest(body: body, of: header.type)
        self = .plain(header, body)
      }
    case .error: self = .error(try ErrorMessage(body: body), stream)
    }
  }
}

/// A connection's receiving end: pieces in, messages out.
struct Receiver {
  private var decoder = FrameDecoder()
  private var data: (prefix: DataPrefix, bytes: [UInt8])?
  private(set) var messages: [Parsed] = []
  var isBetweenMessages: Bool { decoder.isBetweenMessages }

  /// Takes all of `bytes`; afterwards the decoder has asked for more.
  mutating func take(_ bytes: some Collection<UInt8>) throws(WireError) {
    let input = Array(bytes)
    var events: [FrameEvent] = []
    var failure: WireError?
    input.withUnsafeBytes { raw in
      var position = 0
      do throws(WireError) {
        while true {
          let before = position
          let event = try decoder.next(raw, &position)
          precondition(position >= before && position <= raw.count, "the position stays in the input")
          if event == .needMore {
            precondition(position == raw.count, "needMore means that all input was used up")
            break
          }
          events.append(event)
        }
      } catch {
        failure = error
      }
    }
    for event in events { try handle(event, input) }
    if let failure { throw failure }
  }

  private mutating func handle(_ event: FrameEvent, _ input: [UInt8]) throws(WireError) {
    switch event {
    case .needMore: break
    case .message(let header, let body):
      precondition(data == nil && body.count == Int(header.length))
      messages.append(try Parsed(header, body))
    case .dataBegins(let prefix):
      precondition(data == nil && prefix.count >= 1 && prefix.count <= Limits.dataPayloadMax)
      data = (prefix, [])
    case .dataPiece(let range, let isLast):
      guard var begun = data else { preconditionFailure("a piece comes after its prefix") }
      precondition(!range.isEmpty, "a piece has bytes")
      data = nil
      begun.bytes += input[range]
      precondition(isLast == (begun.bytes.count == begun.prefix.count), "the last piece is marked")
      if isLast { messages.append(.data(begun.prefix, begun.bytes)) } else { data = begun }
    }
  }

  /// What a whole stream says.
  static func messages(in bytes: [UInt8]) throws(WireError) -> [Parsed] {
    var receiver = Receiver()
    try receiver.take(bytes)
    return receiver.messages
  }
}

/// What went wrong with `bytes`, or nil.
func failure(of bytes: [UInt8]) -> WireError? {
  do throws(WireError) {
    _ = try Receiver.messages(in: bytes)
    return nil
  } catch { return error }
}

func frame(_ type: UInt8, flags: UInt8 = 0, reserved: UInt16 = 0, length: UInt32, stream: UInt64 = 1)
  -> [UInt8]
{
  var bytes = FrameDecoder.magic
  bytes.append(type)
  bytes.append(flags)
  bytes.append(integer: reserved)
  bytes.append(integer: length)
  bytes.append(integer: stream)
  return bytes
}

/// A whole stream of one frame with this body.
func stream(_ type: FrameType, flags: FrameFlags = [], _ body: [UInt8]) -> [UInt8] {
  frame(type.rawValue, flags: flags.rawValue, length: UInt32(body.count)) + body
}
