// SPDX-License-Identifier: Apache-2.0
// A client as the deployed Qt programs are one, written from the capture and docs/qt.md and from nothing else.

import Foundation

/// A value of a message.
enum QtValue: Equatable {
  case number(Int64)
  /// nil: a QString that is null.
  case text(String?)
}

/// A message of either side.
struct QtMessage: Equatable, CustomStringConvertible {
  var id: Int64
  var entries: [String: QtValue]

  var status: Int64? { number("reply_status") }
  func number(_ key: String) -> Int64? {
    if case .number(let value)? = entries[key] { return value }
    return nil
  }

  func text(_ key: String) -> String? {
    if case .text(let value)? = entries[key] { return value }
    return nil
  }

  var description: String { "\(id) \(entries)" }

  static func uploadHeader(_ path: String) -> QtMessage {
    QtMessage(id: 100, entries: ["file_prjpath": .text(path)])
  }

  static func uploadPosition(_ position: Int64, _ size: Int64) -> QtMessage {
    QtMessage(id: 101, entries: ["file_pos": .number(position), "file_size": .number(size)])
  }

  static func downloadHeader(_ path: String, position: Int64 = 0, md5: String? = nil) -> QtMessage {
    QtMessage(
      id: 200, entries: ["file_prjpath": .text(path), "file_pos": .number(position), "file_md5": .text(md5)])
  }

  static let downloadContent = QtMessage(id: 202, entries: ["reply_status": .number(0)])
  static let downloadTail = QtMessage(id: 203, entries: ["reply_status": .number(0)])

  /// As Qt 5 writes it: the entries in falling order of their keys.
  var encoded: [UInt8] {
    var bytes = wire(id) + wire(UInt32(entries.count))
    for (key, value) in entries.sorted(by: { $0.key > $1.key }) {
      bytes += Self.encoded(key)
      switch value {
      case .number(let number): bytes += wire(UInt32(4)) + [0] + wire(number)
      case .text(let text): bytes += wire(UInt32(10)) + [0] + (text.map(Self.encoded) ?? wire(UInt32.max))
      }
    }
    return bytes
  }

  private static func encoded(_ text: String) -> [UInt8] {
    wire(UInt32(2 * text.utf16.count)) + text.utf16.flatMap { wire($0) }
  }
}

/// One connection to the Qt address of a daemon.
final class QtPeer {
  let socket: RawPeer

  init(to daemon: Daemon) throws { socket = try RawPeer(to: daemon.qtPort()) }

  init(toPort port: Int) throws { socket = try RawPeer(to: port) }

  func send(_ message: QtMessage) { socket.send(message.encoded) }
  func send(_ bytes: [UInt8]) { socket.send(bytes) }

  /// The next message; nil when the daemon has closed.
  func next() throws -> QtMessage? {
    let head = try socket.read(12)
    if head.isEmpty { return nil }
    guard head.count == 12 else { throw Failure("the daemon closed in the middle of a message") }
    var message = QtMessage(id: Int64(bitPattern: number(head[..<8])), entries: [:])
    for _ in 0..<number(head[8...]) {
      let key = try text() ?? ""
      let type = try number(socket.read(5).prefix(4)[...])
      switch type {
      case 4: message.entries[key] = .number(Int64(bitPattern: number(try socket.read(8)[...])))
      case 10: message.entries[key] = .text(try text())
      default: throw Failure("a value of type \(type)")
      }
    }
    return message
  }

  func expect(_ id: Int64) throws -> QtMessage {
    guard let message = try next() else { throw Failure("the daemon closed instead of \(id)") }
    guard message.id == id else { throw Failure("instead of \(id) came \(message)") }
    return message
  }

  private func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

  private func text() throws -> String? {
    let count = number(try socket.read(4)[...])
    if count == 0xFFFF_FFFF { return nil }
    guard count <= 8192 else { throw Failure("a text of \(count) bytes") }
    let bytes = try socket.read(Int(count))
    let units = stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
    return String(decoding: units, as: UTF16.self)
  }

  // MARK: What the client does

  func offer(_ path: String) throws -> (position: Int64, md5: String?) {
    send(.uploadHeader(path))
    let reply = try expect(100)
    guard reply.status == 0, let position = reply.number("file_pos") else { throw Failure("refused: \(reply)") }
    return (position, reply.text("file_md5"))
  }

  /// Goes on with `content` at `position`.
  func begin(_ content: [UInt8], from position: Int64) throws {
    send(.uploadPosition(position, Int64(content.count) - position))
    let reply = try expect(101)
    guard reply.status == 0 else { throw Failure("refused: \(reply)") }
  }

  /// The whole of one upload, going on where the server is if it holds the same bytes. Returns where that was, nil
  /// for 'already there'.
  @discardableResult
  func upload(_ content: [UInt8], _ path: String) throws -> Int64? {
    let (offered, md5) = try offer(path)
    var position: Int64 = 0
    if offered > 0, offered <= content.count, try md5 == Files.md5(content.prefix(Int(offered))) { position = offered }
    if position == content.count { return nil }
    try begin(content, from: position)
    send(Array(content[Int(position)...]))
    let tail = try expect(103)
    guard tail.status == 0 else { throw Failure("not stored: \(tail)") }
    return position
  }

  /// The bytes that the server sends to a client that holds `held`, from where on, or nil for nothing new.
  func download(_ path: String, held: [UInt8] = []) throws -> (position: Int64, bytes: [UInt8])? {
    send(.downloadHeader(path, position: Int64(held.count), md5: held.isEmpty ? nil : try Files.md5(held[...])))
    let reply = try expect(200)
    guard reply.status == 0, let size = reply.number("file_size"), let position = reply.number("file_pos") else {
      throw Failure("refused: \(reply)")
    }
    if size == 0 { return nil }
    send(.downloadContent)
    let bytes = try socket.read(Int(size))
    send(.downloadTail)
    let tail = try expect(203)
    guard tail.status == 0 else { throw Failure("not well: \(tail)") }
    return (position, bytes)
  }
}

extension Daemon {
  /// A port that the daemon names in its log, because the port file has that of the first address only.
  func port(after text: String) throws -> Int {
    var port: Int?
    let came = eventually {
      let line = process.standardError.split(separator: "\n").first { $0.contains(text) }
      port = line?.split(separator: ":").last.flatMap { Int($0) }
      return port != nil || !process.isRunning
    }
    guard came, let port else { throw Failure("the daemon did not say '\(text)': \(process.standardError)") }
    return port
  }

  func qtPort() throws -> Int { try port(after: "to Qt clients on") }
}

extension Files {
  /// In hexadecimal digits, by md5sum of coreutils: not by what is under test.
  static func md5(_ bytes: some Sequence<UInt8>) throws -> String {
    let template = RawString(URL(fileURLWithPath: NSTemporaryDirectory()).path) / "splice-md5-XXXXXX"
    let path = template.withCString { strdup($0)! }
    defer { free(path) }
    let descriptor = mkstemp(path)
    guard descriptor >= 0 else { throw Failure.system("mkstemp", on: template) }
    close(descriptor)
    let name = RawString(terminated: path)
    defer { try? remove(name) }
    try write(Array(bytes), to: name)
    let sum = try ChildProcess(["md5sum", name])
    guard try sum.wait() == .exited(0) else { throw Failure("md5sum: \(sum.standardError)") }
    return String(decoding: sum.standardOutput.prefix(32), as: UTF8.self)
  }
}
