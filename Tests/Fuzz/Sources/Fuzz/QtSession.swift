// A whole daemon and Qt clients, who send whatever the input decides: requests in order and out of it, file bytes or
// noise, silence, cuts; the daemon is killed and its machine loses power.

internal import SpliceBase
internal import SpliceSystem

extension Target {
  static let qtSession = Target(
    name: "qt-session",
    seeds: {
      let upload: [UInt8] = [0, 0, 0, 0, 5, 9, 1, 0, 0, 3, 0, 0, 5, 30]
      let download: [UInt8] = [4, 3, 0, 0, 5, 9, 6, 0, 5, 30, 7, 0]
      return [[0] + upload, [1] + download, [2] + upload + upload + download, [3] + download + [8, 11, 1] + upload]
    }
  ) { input in
    QtTrial(Choices(input)).run()
  }
}

/// Sends, and drops what it hears.
private final class QtClient {
  private let socket: Socket
  private let process: SimProcess
  private var output: [UInt8] = []
  private(set) var isOpen = true
  private let scrap = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

  init?(_ room: Room) {
    let process = room.world.start(room.client, "qt") {}
    var connected: Socket?
    room.world.act(as: process) { connected = try? Socket.connect(to: Room.qtAddress) }
    guard let connected else { return nil }
    socket = connected
    self.process = process
  }

  deinit { scrap.deallocate() }

  func send(_ bytes: [UInt8]) {
    output += bytes
    turn(hears: false)
  }

  func turn(hears: Bool) {
    guard isOpen else { return }
    World.current.act(as: process) {
      do throws(Errno) {
        while !output.isEmpty {
          let sent: Result<Int?, Errno> = output.withUnsafeBytes { raw in
            var piece = raw
            return withUnsafePointer(to: &piece) { piece in
              do throws(Errno) {
                return .success(try socket.send(UnsafeBufferPointer(start: piece, count: 1), more: false))
              } catch { return .failure(error) }
            }
          }
          guard let count = try sent.get() else { break }
          output.removeFirst(count)
        }
        while hears, case .bytes = try socket.receive(into: scrap) {}
      } catch { output = [] }
    }
  }

  func close() {
    guard isOpen else { return }
    isOpen = false
    World.current.act(as: process) { socket.close() }
  }
}

private final class QtTrial {
  private var choices: Choices
  private let room: Room
  private var clients: [QtClient] = []
  private let daemon: Operator
  private var file = FuzzFile.all[0]
  private var position: UInt64 = 0

  init(_ choices: Choices) {
    self.choices = choices
    room = Room(seed: UInt64(self.choices.byte()))
    room.put(FuzzFile.all[1].bytes, "srv/old", room.server, modified: FuzzFile.all[1].modified)
    daemon = Operator(room)
  }

  func run() {
    daemon.start()
    connect()
    var turns = 0
    while !choices.isEmpty, turns < 200 {
      turns += 1
      act()
    }
    settle(milliseconds: 2000)
    daemon.retire()
    for client in clients { client.close() }
    room.end()
    checkVisible()
  }

  private func connect() {
    if clients.count > 3 { clients.removeFirst().close() }
    if let client = QtClient(room) { clients.append(client) }
    settle(milliseconds: 1)
  }

  private func settle(milliseconds: UInt64, hears: Bool = true) {
    room.run(milliseconds: milliseconds)
    for client in clients { client.turn(hears: hears) }
    checkVisible()
  }

  private func act() {
    guard let client = clients.last, client.isOpen else { return connect() }
    switch choices.below(14) {
    case 0:
      file = choices.pick(FuzzFile.all)
      client.send(QtBytes.message(100, [("file_prjpath", .text(path()))]))
      settle(milliseconds: 10)
    case 1:
      position = choices.oneIn(3) ? choices.number(near: [0, 1000, Limits.blockSize, file.size]) : 0
      var rest = file.size - min(file.size, position)
      if choices.oneIn(8) { rest = choices.number(near: [rest, 1 << 31]) }
      client.send(
        QtBytes.message(
          101, [("file_size", .number(Int64(truncatingIfNeeded: rest))), ("file_pos", .number(signed(position)))]))
    case 2, 3:
      let start = min(position, file.size)
      let end = min(file.size, start &+ choices.pick([UInt64.max >> 1, 100_000, 1]))
      client.send(Array(file.bytes[Int(start)..<Int(max(start, end))]))
      position = max(start, end)
    case 4:
      let held = choices.number(near: [0, FuzzFile.all[1].size, 1000])
      client.send(
        QtBytes.message(
          200, [("file_prjpath", .text(path())), ("file_pos", .number(signed(held))), ("file_md5", .text(digits()))]))
    case 5: settle(milliseconds: UInt64(1 + choices.below(40)))
    case 6: client.send(QtBytes.message(202, [("reply_status", .short(Int32(choices.below(3)) - 2))]))
    case 7: client.send(QtBytes.message(203, [("reply_status", .number(0))]))
    case 8: settle(milliseconds: choices.pick([400, 1000, 6000, 20_000]), hears: choices.oneIn(2))
    case 9: client.send(choices.bytes(choices.below(40)))
    case 10: client.send(QtBytes.message(Int64(choices.byte()), [("file_prjpath", .null), ("file_pos", .text([0x31]))]))
    case 11: if choices.oneIn(2) { client.close() } else { connect() }
    case 12: daemon.process?.crashPlan = (UInt64(choices.below(20)), choices.oneIn(2) ? .powerCut : .kill)
    default: room.server.disk.faults.isFull.toggle()
    }
  }

  private func signed(_ number: UInt64) -> Int64 { Int64(bitPattern: number) }

  private func path() -> [UInt8] {
    if choices.oneIn(8) { return choices.bytes(12) }
    return [UInt8](choices.pick(["a", "/old", "d/c", "old", "../secret"]).utf8)
  }

  /// Of an MD5 that may be the right one by its length only.
  private func digits() -> [UInt8] { [UInt8](repeating: 0x61, count: choices.pick([32, 0, 31])) }

  /// Nothing in this protocol names the whole of a file; but what readers see is on the disk.
  private func checkVisible() {
    check(room.world.failure == nil, room.world.failure ?? "")
    room.checkOutside()
    for (name, inode) in room.visible {
      check(inode.stable.isEqual(to: inode.cached.bytes), "'\(name)' is visible and not on the disk")
    }
  }
}
