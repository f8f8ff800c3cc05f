// SPDX-License-Identifier: Apache-2.0
// A client that speaks the protocol badly on purpose, written from docs/protocol.md and from nothing else.

/// One frame, as the page describes it: nothing is checked, so that a test can send anything.
struct Frame: CustomStringConvertible {
  enum Kind: UInt8 {
    case hello = 1, offer, have, probe, chain, resume, data, ack, commit, committed, want, give, end
    case list, stat, remove, verify, ping, cancel, error, `repeat`
  }

  enum Flag {
    static let endOfBlock: UInt8 = 1
    static let reply: UInt8 = 4
    static let more: UInt8 = 8
    static let start: UInt8 = 16
  }

  var type: UInt8
  var flags: UInt8
  var stream: UInt64
  var body: [UInt8]

  init(_ kind: Kind, stream: UInt64, flags: UInt8 = 0, _ body: [UInt8] = []) {
    self.init(type: kind.rawValue, stream: stream, flags: flags, body)
  }

  init(type: UInt8, stream: UInt64, flags: UInt8 = 0, _ body: [UInt8]) {
    self.type = type
    self.flags = flags
    self.stream = stream
    self.body = body
  }

  /// - Parameter length: what the header says instead of the truth.
  func encoded(reserved: UInt16 = 0, length: UInt32? = nil) -> [UInt8] {
    [type, flags] + wire(reserved) + wire(length ?? UInt32(body.count)) + wire(stream) + body
  }

  var kind: Kind? { Kind(rawValue: type) }

  /// Type, flags and stream, and the text of an ERROR.
  var description: String {
    "\(kind.map { "\($0)" } ?? "type \(type)") \(flags) on \(stream) \(errorCode.map { "code \($0)" } ?? "")"
      + (kind == .error ? RawString(bytes: Array(body.dropFirst(22))).description : "")
  }

  /// The number in 8 bytes of the body; a short body gives what there is.
  func number(at offset: Int) -> UInt64 {
    body.dropFirst(offset).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The number of an ERROR; nil for any other frame.
  var errorCode: UInt16? { kind == .error ? UInt16(truncatingIfNeeded: number(at: 0) >> 48) : nil }
}

/// The numbers of errors that the tests expect.
enum WireCode {
  static let exists: UInt16 = 4
  static let timeout: UInt16 = 5
  static let unknownMessage: UInt16 = 6
  static let locked: UInt16 = 11
  static let badPath: UInt16 = 14
  static let digestMismatch: UInt16 = 15
  static let version: UInt16 = 16
  static let malformed: UInt16 = 21
  static let superseded: UInt16 = 22
  static let busy: UInt16 = 12
  static let kicked: UInt16 = 26
}

/// An integer in network order.
func wire(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

/// A string with its length in front.
func wire(_ text: RawString) -> [UInt8] { wire(UInt16(text.bytes.count)) + text.bytes }

/// The 32 bytes of a digest whose first half is written as 32 hexadecimal digits.
func wire(digest: String) -> [UInt8] {
  var digits = Substring(digest)
  var bytes: [UInt8] = []
  while let byte = UInt8(digits.prefix(2), radix: 16) {
    bytes.append(byte)
    digits = digits.dropFirst(2)
  }
  return bytes + [UInt8](repeating: 0, count: 32 - bytes.count)
}

/// A connection that has said HELLO, unless told not to.
final class WirePeer {
  static let magic = Array("SPLC".utf8)
  static let zeroDigest = [UInt8](repeating: 0, count: 32)
  /// P(-1) for blocks of 1 MiB, from the page: the proof of no bytes.
  static let emptyProof = wire(digest: "9ecc9ff73f5ee1dd6ace7686e8685921")

  private let socket: RawPeer
  private var lastStream: UInt64 = 0
  private var fence: UInt64 = 0
  private var heardMagic = false

  init(to daemon: Daemon, greets: Bool = true) throws {
    socket = try RawPeer(to: daemon.port)
    guard greets else { return }
    send(Self.magic + Frame(.hello, stream: 0, Self.hello()).encoded())
    let answer = try next()
    guard answer?.kind == .hello else { throw Failure("no HELLO but \(answer?.description ?? "nothing")") }
  }

  static func hello(
    version: UInt16 = 1, algorithms: RawString = "\u{1}", streams: UInt16 = 64, idle: UInt32 = 0
  ) -> [UInt8] {
    wire(version) + wire(UInt32(0)) + wire(algorithms) + wire(streams) + wire(idle) + wire(UInt64(0))
      + wire("test" as RawString)
  }

  func send(_ bytes: [UInt8]) { socket.send(bytes) }
  func send(_ frame: Frame) { socket.send(frame.encoded()) }

  /// An id that no stream of this connection has had.
  func newStream() -> UInt64 {
    lastStream += 1
    return lastStream
  }

  /// The next frame, whatever it is; nil when the daemon has closed.
  func next() throws -> Frame? {
    if !heardMagic {
      let magic = try socket.read(4)
      guard magic == Self.magic else { throw Failure("the daemon began with \(magic)") }
      heardMagic = true
    }
    let header = try socket.read(16)
    if header.isEmpty { return nil }
    let length = header[4..<8].reduce(0) { $0 << 8 | Int($1) }
    guard header.count == 16, length <= 1_048_616, header[2] == 0, header[3] == 0 else {
      throw Failure("the daemon sent a bad header: \(header)")
    }
    let body = try socket.read(length)
    guard body.count == length else { throw Failure("the daemon closed in the middle of a frame") }
    let stream = header[8...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    return Frame(type: header[0], stream: stream, flags: header[1], body)
  }

  /// The next frame that is no ACK.
  func answer() throws -> Frame {
    while let frame = try next() {
      if frame.kind != .ack { return frame }
    }
    throw Failure("the daemon closed the connection")
  }

  /// The next answer, which has to be of this kind.
  func expect(_ kind: Frame.Kind) throws -> Frame {
    let frame = try answer()
    guard frame.kind == kind else { throw Failure("instead of \(kind) came \(frame)") }
    return frame
  }

  /// True when the daemon answers on this connection, with nothing else in between.
  func isServed() throws -> Bool {
    send(Frame(.ping, stream: 0))
    return try answer().kind == .ping
  }

  // MARK: Requests

  /// The body of an OFFER to replace `path`.
  static func offer(
    _ path: RawString, size: UInt64, policy: UInt8 = 2, mode: UInt32 = 0o644, nanoseconds: UInt32 = 0,
    upload: UInt8 = 0x75, fence: UInt64 = 1
  ) -> [UInt8] {
    let time = wire(Int64(1_700_000_000)) + wire(nanoseconds)
    let id = [UInt8](repeating: upload, count: 16)
    return [policy] + wire(mode) + wire(size) + time + id + wire(fence) + wire(path)
  }

  /// The body of a PROBE.
  static func probe(_ counts: [UInt64]) -> [UInt8] {
    wire(UInt16(counts.count)) + counts.flatMap { wire($0) }
  }

  /// Offers and waits for HAVE.
  func offered(_ path: RawString, size: UInt64) throws -> (stream: UInt64, have: Frame) {
    let stream = newStream()
    fence += 1
    send(Frame(.offer, stream: stream, Self.offer(path, size: size, fence: fence)))
    return (stream, try expect(.have))
  }

  func resume(_ stream: UInt64, from offset: UInt64 = 0, proof: [UInt8] = WirePeer.emptyProof) {
    send(Frame(.resume, stream: stream, wire(offset) + proof))
  }

  /// - Parameter digest: of the block that the bytes end.
  func data(_ stream: UInt64, at offset: UInt64, _ bytes: [UInt8], digest: [UInt8]? = nil) {
    let flags = digest == nil ? 0 : Frame.Flag.endOfBlock
    send(Frame(.data, stream: stream, flags: flags, wire(offset) + (digest ?? []) + bytes))
  }

  func want(
    _ path: RawString, held: UInt64 = 0, proof: [UInt8] = WirePeer.zeroDigest, starts: Bool
  ) -> UInt64 {
    let stream = newStream()
    let flags = starts ? Frame.Flag.start : 0
    send(Frame(.want, stream: stream, flags: flags, wire(held) + proof + wire(path)))
    return stream
  }
}
