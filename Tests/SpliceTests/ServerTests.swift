// Servers of the Swift API.

import Foundation
import Splice
import Testing

@Suite(.timeLimit(.minutes(2))) struct ServerTests {
  @Test func eventsTellTheStoryOfAClient() async throws {
    let place = try Workplace()
    defer { place.remove() }
    try place.write(bytes(3 << 20, seed: 1), "sent")
    let server = try place.makeServer()
    let events = server.events()
    try await place.serving(server) { client in
      try await client.put(place.path("sent")).finish()
      let all = await collect(events) { if case .disconnected = $0 { true } else { false } }
      guard case .connected(let id, let address)? = all.first else {
        Issue.record("first \(all)")
        return
      }
      #expect(address.hasPrefix("127.0.0.1:"))
      guard case .transferBegan(let began) = all[1], case .transferEnded(let ended, nil) = all[all.count - 2] else {
        Issue.record("then \(all)")
        return
      }
      #expect(began.client == id && began.isUpload && began.path == "sent")
      #expect(began.done == 0 && began.total == 3 << 20)
      #expect(ended.number == began.number && ended.done == 3 << 20)
      #expect(all.last == .disconnected(id, nil))
      for event in all[2..<(all.count - 2)] {
        guard case .transferProgressed(let step) = event else {
          Issue.record("in between \(event)")
          return
        }
        #expect(step.number == began.number && step.done <= step.total)
      }
    }
    // The stream of a server that has stopped ends, also one that begins then.
    for await _ in server.events() { Issue.record("an event after the end") }
  }

  @Test func clientsAreListedAndDisconnected() async throws {
    let place = try Workplace()
    defer { place.remove() }
    try place.write(bytes(24 << 20, seed: 2), "sent")
    // Takes minutes, so it is still under way whenever the test gets its next turn.
    let server = try place.makeServer(rate: 64 << 10, workers: 2)
    let events = server.events()
    await #expect { try await server.clients() } throws: { ($0 as? SpliceError)?.code == .wrongState }
    try await place.serving(server) { client in
      let transfer = Task { try await client.put(place.path("sent")).finish() }
      let all = await collect(events) { if case .transferProgressed = $0 { true } else { false } }
      guard case .transferProgressed(let step)? = all.last else { return }
      let clients = try await server.clients()
      #expect(clients.map(\.id) == [step.client])
      #expect(clients.first?.activity == .uploading)
      #expect(clients.first?.path == "sent")
      #expect((clients.first?.received ?? 0) >= step.done)

      server.setClientsMax(1)
      await #expect {
        try await client.put(place.path("sent"), as: "other").finish()
      } throws: { ($0 as? SpliceError)?.code == .busy }

      try await server.disconnect(step.client)
      await #expect { try await transfer.value } throws: { ($0 as? SpliceError)?.code == .kicked }
      // The client hears it before its files are closed here.
      _ = await collect(events) { if case .disconnected(step.client, _) = $0 { true } else { false } }
      await #expect {
        try await server.disconnect(step.client)
      } throws: { ($0 as? SpliceError)?.code == .notFound }
    }
  }

  @Test func cancellingTheTaskStopsTheServer() async throws {
    let place = try Workplace()
    defer { place.remove() }
    try place.write(bytes(10, seed: 3), "sent")
    let server = try place.makeServer()
    let task = Task { try await server.run() }
    try await SpliceClient("splice://127.0.0.1:\(server.port)/").put(place.path("sent")).finish()
    task.cancel()
    try await task.value
    await #expect { try await server.run() } throws: { ($0 as? SpliceError)?.code == .wrongState }
    #expect(try place.read("root/sent") == bytes(10, seed: 3))
  }

  @Test func errorsAreExact() async throws {
    let place = try Workplace()
    defer { place.remove() }
    func expect(_ code: SpliceError.Code, _ body: () throws -> SpliceServer) {
      #expect { _ = try body() } throws: { ($0 as? SpliceError)?.code == code }
    }
    expect(.notFound) { try SpliceServer(folder: place.path("missing")) }
    try place.write(Data(), "plain")
    expect(.notDirectory) { try SpliceServer(folder: place.path("plain")) }
    let first = try place.makeServer()
    expect(.folderInUse) { try place.makeServer() }
    try FileManager.default.createDirectory(atPath: place.folder + "/two", withIntermediateDirectories: false)
    func open(_ change: (inout SpliceServer.Options) -> Void) throws -> SpliceServer {
      var options = SpliceServer.Options()
      options.listen = ["127.0.0.1:0"]
      change(&options)
      return try SpliceServer(folder: place.path("two"), options)
    }
    expect(.cannotListen) { try open { $0.listen = ["127.0.0.1:\(first.port)"] } }
    expect(.badAddress) { try open { $0.listen = ["localhost"] } }
    expect(.invalidArgument) { try open { $0.listen = [] } }
    expect(.invalidArgument) { try open { $0.workers = 65 } }
    expect(.invalidArgument) { try open { $0.memory = 1 } }
    expect(.invalidArgument) { try open { $0.checkpointInterval = .milliseconds(999) } }
    expect(.invalidArgument) { try open { $0.idleTimeout = .zero } }
    expect(.invalidArgument) { try open { $0.clientRate = 1 } }
    _ = try open { _ in }
    withExtendedLifetime(first) {}
  }

  /// What is dropped before it ran gives its folder back.
  @Test func aServerThatNeverRanLetsGoOfItsFolder() throws {
    let place = try Workplace()
    defer { place.remove() }
    for _ in 0..<3 { _ = try place.makeServer() }
  }
}
