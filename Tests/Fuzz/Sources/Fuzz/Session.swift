// A whole daemon and its clients, who send whatever the input decides: messages in order and out of it, true
// claims and false ones, noise, silence, cuts; the daemon is killed and its machine loses power.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

extension Target {
  static let session = Target(
    name: "session",
    seeds: {
      let upload: [UInt8] = [0, 0, 1, 1, 0, 0, 0, 2, 0, 5, 0, 0, 3, 0, 4, 0, 0, 1]
      let download: [UInt8] = [0, 6, 0, 0, 0, 1, 5, 3, 1, 1, 1]
      return [upload, download, upload + upload, upload + download] + SessionTrial.seeds
    }
  ) { input in
    SessionTrial(Choices(input)).run()
  }
}

/// A client that knows how to behave, and does not always.
private final class Peer {
  struct Upload {
    let file: FuzzFile
    let path: String
    /// Where its next byte belongs.
    var position: UInt64 = 0
    var have: Have?
    /// Blocks that the server asked for again.
    var repeats: [UInt64] = []
  }

  let socket: Socket
  let process: SimProcess
  var uploads: [UInt64: Upload] = [:]
  var lastStream: UInt64 = 0
  var isOpen = true
  private var decoder = FrameDecoder()
  /// Reads what this end says as the server will.
  private var own: FrameDecoder? = FrameDecoder()
  /// What COMMITs claimed, and the end of the farthest DATA, by stream.
  private var claims: [UInt64: [Commit]] = [:]
  private var folders: Set<UInt64> = []
  private var sentTo: [UInt64: UInt64] = [:]
  private var durable: [UInt64: UInt64] = [:]
  private var output: [UInt8] = []
  private var isFresh = true

  init?(_ room: Room) {
    let process = room.world.start(room.client, "peer") {}
    var connected: Socket?
    room.world.act(as: process) {
      connected = try? Socket.connect(to: Room.address)
    }
    guard let connected else { return nil }
    socket = connected
    self.process = process
  }

  func send(_ make: (inout [UInt8]) -> Void) {
    var bytes: [UInt8] = isFresh ? FrameDecoder.magic : []
    isFresh = false
    make(&bytes)
    note(bytes)
    output += bytes
    flush()
  }

  private func note(_ bytes: [UInt8]) {
    guard var own else { return }
    bytes.withUnsafeBytes { input in
      var position = 0
      do throws(WireError) {
        while true {
          switch try own.next(input, &position) {
          case .needMore:
            self.own = own
            return
          case .message(let header, let body):
            if header.type == .commit { claims[header.stream, default: []].append(try Commit(body: body)) }
            // A folder has no bytes: its OFFER is all of it.
            if header.type == .offer, try Offer(body: body).policy == .directory {
              folders.insert(header.stream)
            }
            if header.type == .resume {
              let from = try Resume(body: body).from
              sentTo[header.stream] = max(sentTo[header.stream] ?? 0, from)
            }
          case .dataBegins(let prefix):
            let end = prefix.offset.addingReportingOverflow(UInt64(prefix.count)).partialValue
            sentTo[prefix.stream] = max(sentTo[prefix.stream] ?? 0, end)
          case .dataPiece: break
          }
        }
      } catch { self.own = nil }
    }
  }

  func flush() {
    guard isOpen else { return }
    World.current.act(as: process) {
      while !output.isEmpty {
        let sent: Int? = output.withUnsafeBytes { raw in
          var piece = raw
          return withUnsafePointer(to: &piece) { piece in
            do throws(Errno) {
              return try socket.send(UnsafeBufferPointer(start: piece, count: 1), more: false)
            } catch {
              // Not connected yet, or refused: who sends into the void drops it.
              return error == .brokenPipe ? nil : raw.count
            }
          }
        }
        guard let sent else { return }
        output.removeFirst(sent)
      }
    }
  }

  /// Takes what the server has said; all of it must make sense.
  func hear() {
    guard isOpen else { return }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    defer { buffer.deallocate() }
    World.current.act(as: process) {
      while true {
        var count = 0
        do throws(Errno) {
          guard case .bytes(let received) = try socket.receive(into: buffer) else { return }
          count = received
        } catch { return }
        take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
  }

  private func take(_ input: UnsafeRawBufferPointer) {
    var position = 0
    do throws(WireError) {
      while true {
        switch try decoder.next(input, &position) {
        case .needMore: return
        case .message(let header, let body): try take(header, body)
        case .dataBegins, .dataPiece: break
        }
      }
    } catch { broken("the server says what no client understands: \(error)") }
  }

  private func take(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    switch header.type {
    case .have: uploads[header.stream]?.have = try Have(body: body)
    case .ack:
      let ack = try Ack(body: body)
      check(ack.durable <= ack.verified && ack.verified <= ack.received, "ACK \(ack)")
      let durable = durable[header.stream] ?? 0
      let sent = sentTo[header.stream] ?? 0
      check(ack.received <= sent, "\(ack.received) bytes acknowledged, \(sent) sent")
      check(ack.durable >= durable, "durable went back")
      self.durable[header.stream] = ack.durable
    case .repeat:
      let offset = try Repeat(body: body).offset
      check(offset < sentTo[header.stream] ?? 0, "a block is asked for again that was never sent")
      uploads[header.stream]?.repeats.append(offset)
    case .committed:
      let receipt = try Committed(body: body)
      check(
        folders.contains(header.stream)
          || claims[header.stream]?.contains { $0.size == receipt.size && $0.proof == receipt.proof } == true,
        "a receipt for a file that nobody committed")
    case .error: _ = try ErrorMessage(body: body)
    case .give: _ = try Give(body: body)
    case .end: _ = try End(body: body)
    case .chain: _ = try Chain(body: body)
    case .hello: _ = try Hello(body: body)
    case .list: _ = try Listing(body: body)
    case .stat: _ = try Information(body: body)
    case .verify: _ = try Verification(body: body)
    default: break
    }
  }

  func close() {
    guard isOpen else { return }
    isOpen = false
    World.current.act(as: process) { socket.close() }
  }
}

private final class SessionTrial {
  private var choices: Choices
  private let room: Room
  private var peers: [Peer] = []
  private var peer: Peer { peers[peers.count - 1] }
  private let daemon: Operator
  private static let names = ["a", "b", "d/c", "old"]

  init(_ choices: Choices) {
    self.choices = choices
    room = Room(seed: UInt64(self.choices.byte()))
    let old = FuzzFile.all[0]
    room.put(old.bytes, "srv/old", room.server, modified: old.modified)
    daemon = Operator(room)
  }

  func run() {
    daemon.start()
    connect()
    var turns = 0
    while !choices.isEmpty, turns < 200 {
      turns += 1
      act()
      if let last = peers.last, !last.isOpen { connect() }
    }
    settle(milliseconds: 2000)
    daemon.retire()
    for peer in peers { peer.close() }
    room.end()
    checkVisible()
  }

  // MARK: The peers

  private func connect() {
    if peers.count > 3 { peers.removeFirst().close() }
    guard let peer = Peer(room) else { return }
    peers.append(peer)
    settle(milliseconds: 1)
    // Most say HELLO as they should.
    if !choices.oneIn(16) { peer.send { Hello().append(to: &$0, stream: 0) } }
  }

  private func settle(milliseconds: UInt64) {
    room.run(milliseconds: milliseconds)
    for peer in peers {
      peer.hear()
      peer.flush()
    }
    checkVisible()
  }

  private func stream() -> UInt64 {
    peer.lastStream += 1
    return choices.oneIn(24) ? choices.number(near: [peer.lastStream]) : peer.lastStream
  }

  /// Of an upload that was begun.
  private func anyUpload() -> UInt64? {
    let ids = peer.uploads.keys.sorted()
    return ids.isEmpty ? nil : ids[ids.count - 1 - choices.below(ids.count)]
  }

  private func path() -> String { choices.pick(Self.names) }

  private func act() {
    guard !peers.isEmpty else { return connect() }
    switch choices.below(18) {
    case 0: offer()
    case 1: resume()
    case 2: data(honest: true)
    case 3:
      for _ in 0..<8 { data(honest: true) }
    case 4: commit()
    case 5: settle(milliseconds: UInt64(1 + choices.below(40)))
    case 6: want()
    case 7: request()
    case 8:
      guard let id = anyUpload() else { return }
      peer.send { FrameHeader(.cancel, length: 0, stream: id).append(to: &$0) }
    case 9:
      guard let id = anyUpload() else { return }
      let counts = [1 + UInt64(choices.below(3)), 4 + UInt64(choices.below(9))]
      peer.send { Probe(blockCounts: counts).append(to: &$0, stream: id) }
    case 10:
      let noise = choices.bytes(choices.below(40))
      peer.send { $0 += noise }
    case 11: settle(milliseconds: choices.pick([400, 1000, 6000, 20_000]))
    case 12: peer.close()
    case 13: connect()
    case 14: data(honest: false)
    case 15:
      // A whole message of any kind with any fields.
      guard let type = FrameType(rawValue: UInt8(choices.below(40))), type != .data else { return }
      let body = choices.bytes(choices.below(80))
      let id = choices.oneIn(2) ? stream() : anyUpload() ?? 1
      peer.send { output in
        FrameHeader(type, flags: type.knownFlags, length: UInt32(body.count), stream: id).append(to: &output)
        output += body
      }
    case 16: daemon.process?.crashPlan = (UInt64(choices.below(20)), choices.oneIn(2) ? .powerCut : .kill)
    default: room.server.disk.faults.isFull.toggle()
    }
  }

  private func offer() {
    let file = choices.pick(FuzzFile.all)
    let path = path()
    let id = stream()
    let owner = choices.byte()
    var offer = Offer(
      policy: choices.pick([.replace, .replace, .create, .ifAbsent, .directory]), mode: 0o644,
      size: file.size,
      modified: file.modified,
      upload: UploadID(bytes: [UInt8](repeating: owner % 4, count: UploadID.byteCount)),
      fence: UInt64(choices.byte()), path: [UInt8](path.utf8))
    if choices.oneIn(16) { offer.size = choices.number(near: [file.size, 1 << 40, 1 << 62]) }
    if choices.oneIn(16) { offer.path = choices.bytes(12) }
    peer.uploads[id] = Peer.Upload(file: file, path: path)
    peer.send { offer.append(to: &$0, stream: id) }
    // Most wait for the answer.
    if !choices.oneIn(4) { settle(milliseconds: 10) }
  }

  private func resume() {
    guard let id = anyUpload(), var upload = peer.uploads[id] else { return }
    var from: UInt64 = 0
    if let have = upload.have, have.bytes <= upload.file.size,
      have.proof == upload.file.proof(have.bytes).digest
    {
      from = have.bytes
    }
    if choices.oneIn(5) { from = choices.number(near: [from, upload.file.size]) }
    var proof = from <= upload.file.size ? upload.file.proof(from).digest : .zero
    if choices.oneIn(12) { proof = Digest(high: choices.integer(), low: 0) }
    upload.position = max(upload.position, from)
    peer.uploads[id] = upload
    peer.uploads[id]?.position = from
    peer.send { Resume(from: from, proof: proof).append(to: &$0, stream: id) }
  }

  private func data(honest: Bool) {
    guard let id = anyUpload(), let upload = peer.uploads[id] else { return }
    let file = upload.file
    var offset = upload.position
    if let block = upload.repeats.first, !choices.oneIn(3) {
      peer.uploads[id]?.repeats.removeFirst()
      offset = block
    }
    if !honest, choices.oneIn(3) { offset = choices.number(near: [offset, file.size]) }
    guard offset < file.size else { return }
    let blockEnd = file.geometry.blockEnd(offset, fileSize: file.size)
    let isRepeat = offset < upload.position
    let count = min(blockEnd - offset, isRepeat ? .max : choices.pick([UInt64.max, .max, .max, 1000, 1]))
    var bytes = Array(file.bytes[Int(offset)..<Int(offset + count)])
    var digest = file.blockDigest(endingAt: offset + count)
    if !honest {
      switch choices.below(4) {
      case 0: bytes[Int(choices.integer() % UInt64(bytes.count))] ^= 1
      case 1: digest = nil
      case 2: digest = Digest(high: choices.integer(), low: 0)
      default: break
      }
    }
    peer.uploads[id]?.position = max(upload.position, offset + count)
    peer.send { output in
      DataPrefix(stream: id, offset: offset, count: bytes.count, blockDigest: digest).append(to: &output)
      output += bytes
    }
  }

  private func commit() {
    guard let id = anyUpload(), let upload = peer.uploads[id] else { return }
    var proof = upload.file.proof(upload.file.size)
    if choices.oneIn(8) { proof = choices.pick(FuzzFile.all.map { $0.proof($0.size) }) }
    peer.send { Commit(size: proof.bytes, proof: proof.digest).append(to: &$0, stream: id) }
  }

  private func want() {
    let file = choices.pick(FuzzFile.all)
    let held = min(file.size, choices.pick([0, 0, Limits.blockSize, file.size]))
    let path = path()
    let id = stream()
    let starts = choices.oneIn(2)
    peer.send {
      Want(held: held, proof: file.proof(held).digest, path: [UInt8](path.utf8))
        .append(to: &$0, stream: id, flags: starts ? .start : [])
    }
    if choices.oneIn(2) {
      settle(milliseconds: 10)
      let from = choices.number(near: [held, file.size])
      let proof = from <= file.size ? file.proof(from).digest : .zero
      peer.send { Resume(from: from, proof: proof).append(to: &$0, stream: id) }
    }
    for _ in 0..<choices.below(3) {
      settle(milliseconds: UInt64(choices.below(10)))
      let block = UInt64(choices.below(4)) * file.geometry.blockSize + (choices.oneIn(8) ? 1 : 0)
      peer.send { Repeat(offset: block).append(to: &$0, stream: id) }
    }
  }

  private func request() {
    let type = choices.pick([FrameType.list, .stat, .verify, .remove])
    let name = choices.oneIn(6) ? choices.bytes(6) : choices.oneIn(4) ? [] : [UInt8](path().utf8)
    let id = stream()
    peer.send { PathRequest(path: name).append(to: &$0, type: type, stream: id) }
  }

  // MARK: What must hold

  /// Whatever was sent, readers see whole files, and a power cut now would leave those.
  private func checkVisible() {
    check(room.world.failure == nil, room.world.failure ?? "")
    room.checkOutside()
    for (name, inode) in room.visible {
      guard let file = FuzzFile.find({ inode.cached.isEqual(to: $0.bytes) }) else {
        broken("readers see \(inode.cached.size) bytes under '\(name)' that are no file of anybody")
      }
      check(inode.stable.isEqual(to: file.bytes), "'\(name)' is visible and not on the disk")
    }
  }

  /// Uploads of each file, some cut and resumed, some over another.
  static var seeds: [[UInt8]] {
    (0..<7).flatMap { file -> [[UInt8]] in
      let offer: [UInt8] = [0, UInt8(file), 0, 1, 0, 1, 0, 0, 0]
      let whole: [UInt8] =
        offer + [1, 0, 0, 0] + [3] + [UInt8](repeating: 0, count: 16) + [5, 9, 4, 0, 0, 5, 30]
      let broken: [UInt8] = offer + [1, 0, 0, 0, 2, 0, 0, 5, 9, 16, 3, 0, 12, 1, 11, 2]
      return [
        [0, 1] + whole, [1, 1] + broken + whole,
        [2, 1] + whole + whole + [7, 2, 0, 0, 6, UInt8(file), 2, 0, 1, 0, 5, 30],
      ]
    }
  }
}
