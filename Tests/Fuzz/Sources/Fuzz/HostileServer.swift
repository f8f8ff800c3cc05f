// A real client against a server that says whatever the input decides.

internal import SpliceBase
internal import SpliceClient
internal import SpliceCore
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

extension Target {
  static let hostileServer = Target(
    name: "hostile-server",
    seeds: {
      (0..<7).flatMap { file -> [[UInt8]] in
        let hello: [UInt8] = [0, 5, 9]
        let up: [UInt8] = hello + [1, 0, 5, 20, 5, 20, 2, 0, 5, 20, 3, 0, 5, 20]
        let down: [UInt8] = hello + [4, 0, 1, 5, 9, 6, 7, 0, 6, 7, 0, 5, 9, 7, 0, 5, 40]
        return [[0, UInt8(file)] + up, [1, UInt8(file)] + down, [2, UInt8(file)] + down + [12] + down]
      }
    }
  ) { input in
    ServerTrial(Choices(input)).run()
  }
}

/// Answers on every connection; knows what an honest server would say next.
private final class ServerTrial {
  private var choices: Choices
  private let room: Room
  private let file: FuzzFile
  private let isUpload: Bool
  private let process: SimProcess
  private var listener: Socket?
  private var socket: Socket?
  private var decoder = FrameDecoder()
  private var output: [UInt8] = []
  /// The client's newest stream, and how far its file bytes went in either direction.
  private var stream: UInt64 = 1
  private var position: UInt64 = 0
  private var results: [FileResult] = []
  private var damaged = false

  init(_ choices: Choices) {
    self.choices = choices
    let kind = self.choices.byte()
    isUpload = kind % 2 == 0 && kind % 4 != 2
    room = Room(seed: UInt64(kind))
    file = self.choices.pick(FuzzFile.all)
    process = room.world.start(room.server, "fake") {}
    if isUpload { room.put(file.bytes, "dst/a", room.client, modified: file.modified) }
  }

  func run() {
    room.world.act(as: process) {
      listener = try? Socket.listen(on: SocketAddress(bytes: [10, 0, 0, 1], port: 7420)!, backlog: 9)
    }
    // It is asked to stop in the end, as a user does who has waited long enough.
    let client = startClient()
    var turns = 0
    while !choices.isEmpty, turns < 200, !client.isEnded {
      turns += 1
      act()
    }
    room.world.act(as: process) {
      socket?.close()
      listener?.close()
    }
    socket = nil
    listener = nil
    room.end()
    for result in results { judge(result) }
  }

  private func startClient() -> SimProcess {
    let folder = [UInt8]("/dst".utf8)
    let cache = DigestCache(path: nil)
    let tasks: [any ClientTask]
    if isUpload {
      tasks = [
        UploadTask(
          UploadTask.Item(
            localPath: folder + [UInt8]("/a".utf8), remotePath: [UInt8]("a".utf8), size: file.size,
            isDirectory: false, policy: .replace), owner: [UInt8]("me".utf8), cache: cache)
      ]
    } else {
      tasks = [
        DownloadTask(
          DownloadTask.Item(
            remotePath: [UInt8]("a".utf8), folder: folder, name: [UInt8]("a".utf8), size: nil),
          cache: cache)
      ]
    }
    return room.world.start(room.client, "splice") { [self] in
      guard let process = room.world.process else { return }
      let observer = Observer { [weak self] in self?.results.append($0) }
      guard
        let run = try? ClientRun(
          .network(host: [UInt8]("server".utf8), port: 7420), retrySeconds: 60, source: Source(tasks),
          observer: observer)
      else { broken("a client does not start") }
      process.held = run
      do throws(UVError) {
        // A server may ask for an hour's patience.
        try run.obeySignals()
        try run.run()
      } catch { broken("a client does not run") }
    }
  }

  /// A client may be told anything, but what it calls done is what was proved to it.
  private func judge(_ result: FileResult) {
    guard case .done = result.outcome, !isUpload else { return }
    guard let inode = room.client.disk.find("dst/a"),
      let stable = room.client.disk.find("dst/a", stable: true)
    else {
      broken("a download was called done, and there is no file")
    }
    guard let known = FuzzFile.find({ inode.cached.isEqual(to: $0.bytes) }) else {
      broken("a download was called done, and its \(inode.cached.size) bytes are no file")
    }
    check(
      stable.stable.isEqual(to: known.bytes), "a download was called done, and a power cut would damage it")
    check(result.digest == known.proof(known.size).digest, "the result names another file")
  }

  // MARK: The server

  private func say(_ make: (inout [UInt8]) -> Void) {
    if socket != nil { make(&output) }
    flush()
  }

  private func flush() {
    guard let socket else { return }
    room.world.act(as: process) {
      while !output.isEmpty {
        let sent: Int? = output.withUnsafeBytes { raw in
          var piece = raw
          return withUnsafePointer(to: &piece) { piece in
            do throws(Errno) {
              return try socket.send(UnsafeBufferPointer(start: piece, count: 1), more: false)
            } catch { return error == .brokenPipe ? nil : raw.count }
          }
        }
        guard let sent else { return }
        output.removeFirst(sent)
      }
    }
  }

  private func settle(milliseconds: UInt64) {
    room.run(milliseconds: milliseconds)
    hear()
    flush()
  }

  private func hear() {
    room.world.act(as: process) {
      if socket == nil, let accepted = try? listener?.accept() {
        socket = accepted
        decoder = FrameDecoder()
        output = FrameDecoder.magic
      }
    }
    guard let socket else { return }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    defer { buffer.deallocate() }
    var isOver = false
    room.world.act(as: process) {
      while !isOver {
        do throws(Errno) {
          switch try socket.receive(into: buffer) {
          case .bytes(let count): take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
          case .wouldBlock: return
          case .end: isOver = true
          }
        } catch { isOver = true }
      }
    }
    if isOver { hangUp() }
  }

  private func hangUp() {
    room.world.act(as: process) { socket?.close() }
    socket = nil
  }

  private func take(_ input: UnsafeRawBufferPointer) {
    var position = 0
    do throws(WireError) {
      while true {
        switch try decoder.next(input, &position) {
        case .needMore: return
        case .message(let header, let body):
          if header.stream > 0 { stream = header.stream }
          if header.type == .resume { self.position = try Resume(body: body).from }
          if header.type == .ping {
            say { FrameHeader(.ping, flags: [.reply], length: 0, stream: header.stream).append(to: &$0) }
          }
        case .dataBegins(let prefix):
          check(isUpload, "a download sends file bytes")
          check(prefix.offset + UInt64(prefix.count) <= file.size, "more is sent than there is")
          self.position = max(self.position, prefix.offset + UInt64(prefix.count))
        case .dataPiece: break
        }
      }
    } catch { broken("the client says what no server understands: \(error)") }
  }

  private func act() {
    hear()
    switch choices.below(16) {
    case 0: say { Hello().append(to: &$0, stream: 0) }
    case 1:
      let held = choices.oneIn(3) ? choices.number(near: [file.size, Limits.blockSize]) : 0
      let proof = held <= file.size && !choices.oneIn(6) ? file.proof(held).digest : .zero
      let state: HaveState = choices.oneIn(6) ? .complete : held == 0 ? .nothing : .partial
      let size = choices.oneIn(12) ? choices.integer() : file.geometry.blockSize
      say {
        Have(state: state, blockSize: size, bytes: held, proof: proof, freeSpace: 1 << 40).append(
          to: &$0, stream: stream)
      }
    case 2:
      let count = choices.oneIn(4) ? choices.number(near: [file.size, position]) : position
      say {
        Ack(received: count, verified: count, durable: choices.oneIn(2) ? count : 0)
          .append(to: &$0, stream: stream)
      }
      if choices.oneIn(6) {
        let offset = choices.oneIn(4) ? choices.number(near: [position, file.size]) : file.geometry.blockStart(position)
        say { Repeat(offset: offset).append(to: &$0, stream: stream) }
      }
    case 3:
      let proof = choices.oneIn(6) ? .zero : file.proof(file.size).digest
      say { Committed(size: file.size, proof: proof, version: 5).append(to: &$0, stream: stream) }
    case 4:
      let size = choices.oneIn(10) ? choices.number(near: [file.size, 1 << 62]) : file.size
      let block = choices.oneIn(10) ? choices.integer() : file.geometry.blockSize
      let isProved = !choices.oneIn(4)
      say {
        Give(proved: isProved, mode: 0o644, size: size, modified: file.modified, blockSize: block, version: 5)
          .append(to: &$0, stream: stream)
      }
    case 5: settle(milliseconds: UInt64(1 + choices.below(50)))
    case 6: data()
    case 7:
      let proof =
        choices.oneIn(4) ? choices.pick(FuzzFile.all.map { $0.proof($0.size) }) : file.proof(file.size)
      say { End(size: proof.bytes, proof: proof.digest).append(to: &$0, stream: stream) }
    case 8:
      let code = choices.pick(ErrorCode.allCases)
      let text = choices.bytes(choices.below(20))
      let where_ = choices.oneIn(3) ? 0 : stream
      var message = ErrorMessage(code, path: choices.bytes(3), text: text)
      message.retryAfterSeconds = choices.oneIn(3) ? UInt32(truncatingIfNeeded: choices.integer()) : 0
      say { message.append(to: &$0, stream: where_) }
    case 9:
      let noise = choices.bytes(choices.below(40))
      say { $0 += noise }
    case 10: settle(milliseconds: choices.pick([500, 3000, 30_000]))
    case 11: hangUp()
    case 12:
      hangUp()
      settle(milliseconds: 2000)
      say { Hello().append(to: &$0, stream: 0) }
    case 13:
      let count = choices.below(4)
      let digests = (0..<count).map { choices.oneIn(3) ? Digest.zero : file.chain(UInt64($0 + 1)) }
      say { Chain(digests: digests).append(to: &$0, stream: stream) }
    case 14:
      guard let type = FrameType(rawValue: UInt8(choices.below(40))), type != .data else { return }
      let body = choices.bytes(choices.below(60))
      let where_ = choices.oneIn(4) ? UInt64(choices.byte()) : stream
      say { output in
        FrameHeader(type, flags: type.knownFlags, length: UInt32(body.count), stream: where_).append(
          to: &output)
        output += body
      }
    default: position = choices.number(near: [0, file.size])
    }
  }

  private func data() {
    var offset = position
    if choices.oneIn(12) { offset = choices.number(near: [0, file.size]) }
    guard offset < file.size else { return }
    let end = file.geometry.blockEnd(offset, fileSize: file.size)
    let count = min(end - offset, choices.pick([UInt64.max, .max, 1000, 1]))
    var bytes = Array(file.bytes[Int(offset)..<Int(offset + count)])
    var digest = file.blockDigest(endingAt: offset + count)
    switch choices.below(16) {
    case 13: bytes[Int(choices.integer() % UInt64(bytes.count))] ^= 1
    case 14: digest = nil
    case 15: digest = .zero
    default: break
    }
    position = offset + count
    say { output in
      DataPrefix(stream: stream, offset: offset, count: bytes.count, blockDigest: digest).append(to: &output)
      output += bytes
    }
  }
}

private final class Source: TaskSource {
  private var tasks: [any ClientTask]

  init(_ tasks: [any ClientTask]) { self.tasks = tasks }

  func nextTask() throws(ClientError) -> (any ClientTask)? { tasks.popLast() }
}

private final class Observer: ClientObserver {
  private let onResult: (FileResult) -> Void

  init(_ onResult: @escaping (FileResult) -> Void) { self.onResult = onResult }

  func runDidAdvance(_ progress: RunProgress) {}
  func runDidNotice(_ text: [UInt8]) {}
  func runDidFinish(_ result: FileResult) { onResult(result) }
}
