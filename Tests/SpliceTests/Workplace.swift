// A folder for one test, with servers that are gone before it is.

import Foundation
import Splice
import Testing

/// No two blocks of it are the same.
///
/// - Parameter seed: the same bytes for the same seed.
func bytes(_ count: Int, seed: UInt64) -> Data {
  let page = Data((0..<4096).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ Int(seed)) >> 7) })
  var data = Data(capacity: count + page.count)
  while data.count < count {
    withUnsafeBytes(of: seed << 48 | UInt64(data.count)) { data.append(contentsOf: $0) }
    data.append(page)
  }
  return data.prefix(count)
}

struct Workplace {
  let folder: String

  init() throws {
    var template = Array("\(NSTemporaryDirectory())/splice-api-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try FileManager.default.createDirectory(atPath: folder + "/root", withIntermediateDirectories: false)
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  func path(_ name: String) -> SplicePath { SplicePath("\(folder)/\(name)") }

  func write(_ data: Data, _ name: String) throws { try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }

  func read(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")) }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(name)") }

  /// - Parameter rate: bytes a second for each client; 0: no limit.
  func makeServer(rate: UInt64 = 0, workers: Int = 1) throws -> SpliceServer {
    var options = SpliceServer.Options()
    options.listen = ["127.0.0.1:0"]
    options.clientRate = rate
    options.workers = workers
    return try SpliceServer(folder: path("root"), options)
  }

  /// Runs `body` while `server` serves; then it has stopped.
  func serving<Value: Sendable>(
    _ server: SpliceServer, _ body: @Sendable (SpliceClient) async throws -> Value
  ) async throws -> Value {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      defer { server.stop() }
      var client = try SpliceClient("splice://127.0.0.1:\(server.port)/")
      client.patience = .zero
      return try await body(client)
    }
  }
}

/// Everything that came before `last`, and `last`.
func collect(
  _ events: AsyncStream<SpliceServer.Event>, until last: (SpliceServer.Event) -> Bool
) async -> [SpliceServer.Event] {
  var collected: [SpliceServer.Event] = []
  for await event in events {
    collected.append(event)
    if last(event) { break }
  }
  return collected
}
