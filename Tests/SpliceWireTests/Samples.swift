// The value behind each golden vector.

import SpliceBase
import SpliceWire

/// A message as a value: how it is written, and what it reads as.
struct Sample {
  var name: String
  var encoded: [UInt8]
  var parsed: Parsed
}

func digest(_ first: UInt8) -> Digest { Digest(bytes: (0..<16).map { first + $0 }) }

private let upload = UploadID(bytes: Array(0xA0...0xAF))
private let autumn = Timestamp(seconds: 1_700_000_000, nanoseconds: 9)
private let mebibyte: UInt64 = 1 << 20
private let size: UInt64 = 3 * mebibyte + 5

private func sample<Value: Message>(
  _ name: String, _ message: Value, stream: UInt64, flags: FrameFlags = [], _ parsed: Parsed
) -> Sample {
  var bytes: [UInt8] = []
  message.append(to: &bytes, stream: stream, flags: flags)
  return Sample(name: name, encoded: bytes, parsed: parsed)
}

private func plain(_ name: String, _ type: FrameType, flags: FrameFlags = [], stream: UInt64) -> Sample {
  let header = FrameHeader(type, flags: flags, length: 0, stream: stream)
  var bytes: [UInt8] = []
  header.append(to: &bytes)
  return Sample(name: name, encoded: bytes, parsed: .plain(header, []))
}

private func request(_ name: String, _ type: FrameType, _ path: StaticString, stream: UInt64) -> Sample {
  let request = PathRequest(path: [UInt8](path))
  var bytes: [UInt8] = []
  request.append(to: &bytes, type: type, stream: stream)
  return Sample(name: name, encoded: bytes, parsed: .request(request, type, stream))
}

private func data(_ name: String, _ prefix: DataPrefix, _ bytes: StaticString) -> Sample {
  var encoded: [UInt8] = []
  prefix.append(to: &encoded)
  encoded.append(bytes)
  return Sample(name: name, encoded: encoded, parsed: .data(prefix, [UInt8](bytes)))
}

enum Samples {
  /// One for each frame of the vector file, in its order.
  static var all: [Sample] { connection + uploads + downloads + tree + control }

  private static var connection: [Sample] {
    var client = Hello()
    client.streamsMax = 64
    client.agent = [UInt8]("splice/1.0")
    var server = client
    server.idleSeconds = 60
    server.session = 0x1122_3344_5566_7788
    server.agent = [UInt8]("spliced/1.0")
    return [
      sample("hello-client", client, stream: 0, .hello(client, 0)),
      sample("hello-server", server, stream: 0, .hello(server, 0)),
      plain("ping", .ping, stream: 0),
      plain("ping-reply", .ping, flags: .reply, stream: 0),
      plain("cancel", .cancel, stream: 7),
      sample("error-locked", locked, stream: 1, .error(locked, 1)),
      sample("error-plain", ErrorMessage(.busy), stream: 0, .error(ErrorMessage(.busy), 0)),
    ]
  }

  private static var locked: ErrorMessage {
    var error = ErrorMessage(.locked, path: [UInt8]("photos/a.txt"), ErrorCode.locked.sentence)
    error.retryAfterSeconds = 30
    error.holderReceived = mebibyte
    error.holderQuietMilliseconds = 2500
    return error
  }

  private static func offer(
    _ policy: OfferPolicy, mode: UInt32, size: UInt64, _ modified: Timestamp, fence: UInt64 = 1, path: [UInt8]
  ) -> Offer {
    Offer(
      policy: policy, mode: mode, size: size, modified: modified, upload: upload, fence: fence, path: path)
  }

  private static var uploads: [Sample] {
    let replace = offer(
      .replace, mode: 0o644, size: size, Timestamp(seconds: 1_700_000_000, nanoseconds: 999_999_999),
      fence: 7,
      path: [UInt8]("photos/") + [0xFF, 0xFE] + [UInt8](".raw"))
    let create = offer(
      .create, mode: 0o7777, size: 0, Timestamp(seconds: -2, nanoseconds: 0), path: [UInt8]("a"))
    let directory = offer(
      .directory, mode: 0o755, size: 0, Timestamp(seconds: 1_700_000_000, nanoseconds: 1),
      path: [UInt8]("photos/2024"))
    let nothing = Have(state: .nothing, blockSize: mebibyte, bytes: 0, proof: .zero, freeSpace: 1 << 40)
    let partial = Have(
      state: .partial, blockSize: mebibyte, bytes: 2 * mebibyte + 1, proof: digest(0x10),
      freeSpace: 123_456_789)
    let complete = Have(state: .complete, blockSize: mebibyte, bytes: size, proof: digest(0x20), freeSpace: 0)
    let one = Probe(blockCounts: [1])
    let three = Probe(blockCounts: [16_384, 32_768, 1 << 32])
    let chain = Chain(digests: [digest(0x30), digest(0x40)])
    let resume = Resume(from: 2 * mebibyte, proof: digest(0x50))
    let inside = DataPrefix(stream: 1, offset: 2 * mebibyte, count: 5, blockDigest: nil)
    let atEnd = DataPrefix(stream: 1, offset: 3 * mebibyte, count: 5, blockDigest: digest(0x60))
    let ack = Ack(received: 3 * mebibyte, verified: 2 * mebibyte, durable: mebibyte)
    let again = Repeat(offset: 2 * mebibyte)
    let commit = Commit(size: size, proof: digest(0x70))
    let committed = Committed(size: size, proof: digest(0x70), version: 0x8877_6655_4433_2211)
    return [
      sample("offer-replace", replace, stream: 1, .offer(replace, 1)),
      sample("offer-create", create, stream: 3, .offer(create, 3)),
      sample("offer-directory", directory, stream: 4, .offer(directory, 4)),
      sample("have-nothing", nothing, stream: 1, .have(nothing, 1)),
      sample("have-partial", partial, stream: 1, .have(partial, 1)),
      sample("have-complete", complete, stream: 1, .have(complete, 1)),
      sample("probe-one", one, stream: 1, .probe(one, 1)),
      sample("probe-three", three, stream: 1, .probe(three, 1)),
      sample("chain-none", Chain(digests: []), stream: 1, .chain(Chain(digests: []), 1)),
      sample("chain-two", chain, stream: 1, .chain(chain, 1)),
      sample("resume", resume, stream: 1, .resume(resume, 1)),
      data("data", inside, "Hello"),
      data("data-end-of-block", atEnd, "world"),
      sample("ack", ack, stream: 1, .ack(ack, 1)),
      sample("repeat", again, stream: 1, .repeat(again, 1)),
      sample("commit", commit, stream: 1, .commit(commit, 1)),
      sample("committed", committed, stream: 1, .committed(committed, 1)),
    ]
  }

  private static var downloads: [Sample] {
    let want = Want(held: 0, proof: .zero, path: [UInt8]("photos/a b.jpg"))
    let start = Want(held: mebibyte + 1, proof: digest(0x80), path: [UInt8]("x\ny"))
    let proved = Give(
      proved: true, mode: 0o600, size: size, modified: Timestamp(seconds: 1_700_000_000, nanoseconds: 5),
      blockSize: mebibyte, version: 42)
    let unproved = Give(
      proved: false, mode: 0o600, size: 1 << 41, modified: Timestamp(seconds: -1, nanoseconds: 0),
      blockSize: 2 * mebibyte, version: .max)
    let end = End(size: size, proof: digest(0x90))
    return [
      sample("want", want, stream: 5, .want(want, [], 5)),
      sample("want-start", start, stream: 7, flags: .start, .want(start, .start, 7)),
      sample("give-proved", proved, stream: 7, .give(proved, 7)),
      sample("give-unproved", unproved, stream: 7, .give(unproved, 7)),
      sample("end", end, stream: 7, .end(end, 7)),
    ]
  }

  private static var tree: [Sample] {
    let two = Listing(entries: [
      ListEntry(kind: .file, mode: 0o644, size: 5, modified: autumn, name: [UInt8]("a.txt")),
      ListEntry(
        kind: .directory, mode: 0o755, size: 0, modified: Timestamp(seconds: 0, nanoseconds: 0),
        name: [0xE9, 0x74, 0xE9]),
    ])
    let device = ListEntry(
      kind: .other, mode: 0o600, size: 0, modified: Timestamp(seconds: 1, nanoseconds: 2),
      name: [UInt8](".splice"))
    let last = Listing(entries: [device])
    let empty = Listing(entries: [])
    let information = Information(
      kind: .file, mode: 0o644, size: size, modified: autumn, version: 42, proof: digest(0xA0),
      partialReceived: mebibyte)
    let intact = Verification(state: .intact, size: size, proof: digest(0xB0), damagedFrom: 0)
    let damaged = Verification(state: .damaged, size: size, proof: digest(0xC0), damagedFrom: mebibyte)
    let more: FrameFlags = [.reply, .more]
    return [
      request("list-root", .list, "", stream: 9),
      request("list-path", .list, "photos", stream: 11),
      sample("list-reply-more", two, stream: 11, flags: more, .listing(two, more, 11)),
      sample("list-reply-last", last, stream: 11, flags: .reply, .listing(last, .reply, 11)),
      sample("list-reply-empty", empty, stream: 9, flags: .reply, .listing(empty, .reply, 9)),
      request("stat", .stat, "photos/a.txt", stream: 13),
      sample("stat-reply", information, stream: 13, flags: .reply, .information(information, 13)),
      request("remove", .remove, "old", stream: 15),
      plain("remove-reply", .remove, flags: .reply, stream: 15),
      request("verify", .verify, "photos/a.txt", stream: 17),
      sample("verify-intact", intact, stream: 17, flags: .reply, .verification(intact, 17)),
      sample("verify-damaged", damaged, stream: 17, flags: .reply, .verification(damaged, 17)),
    ]
  }

  private static var control: [Sample] {
    var session = SessionEntry(id: 7)
    session.activity = .uploading
    session.worker = 1
    session.streams = 3
    session.ageMilliseconds = 5000
    session.quietMilliseconds = 20
    session.received = 5 * mebibyte
    session.verified = 4 * mebibyte
    session.durable = 3 * mebibyte
    session.sent = 1000
    session.done = 4 * mebibyte + 1
    session.size = 8 * mebibyte
    session.proto = [UInt8]("splice")
    session.address = [UInt8]("192.0.2.1:5000")
    session.path = [UInt8]("photos/a.raw")
    let sessions = SessionList(entries: [session])
    let none = SessionList(entries: [])
    let kick = Kick(id: 7)
    let drain = DrainState(transfers: 5, isEnding: false)
    let partials = PartialList(entries: [
      PartialEntry(
        path: [UInt8]("a.raw"), size: size, received: mebibyte, ageSeconds: 3600,
        origin: [UInt8]("192.0.2.1:5000"), isActive: true)
    ])
    let note = ReloadNote(text: [UInt8]("done"))
    let more: FrameFlags = [.reply, .more]
    return [
      plain("sessions", .sessions, stream: 1),
      sample("sessions-reply-last", sessions, stream: 1, flags: .reply, .sessions(sessions, .reply, 1)),
      sample("sessions-reply-none", none, stream: 1, flags: .reply, .sessions(none, .reply, 1)),
      sample("kick", kick, stream: 2, .kick(kick, 2)),
      plain("kick-reply", .kick, flags: .reply, stream: 2),
      plain("drain", .drain, stream: 3),
      sample("drain-reply", drain, stream: 3, flags: .reply, .drain(drain, 3)),
      plain("partials", .partials, stream: 4),
      sample("partials-reply-more", partials, stream: 4, flags: more, .partials(partials, more, 4)),
      request("discard", .discard, "a.raw", stream: 5),
      plain("discard-reply", .discard, flags: .reply, stream: 5),
      plain("reload", .reload, stream: 6),
      sample("reload-reply", note, stream: 6, flags: .reply, .reload(note, 6)),
    ]
  }
}
