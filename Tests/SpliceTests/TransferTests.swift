// Transfers of the Swift API, against a server in the same process.

import Foundation
import Splice
import Testing

@Suite(.timeLimit(.minutes(2))) struct TransferTests {
  @Test func aFileGoesAndComesBack() async throws {
    let place = try Workplace()
    defer { place.remove() }
    let content = bytes(5_000_001, seed: 1)
    try place.write(content, "sent")
    try await place.serving(place.makeServer(workers: 2)) { client in
      var moved = 0
      var results: [SpliceTransfer.FileResult] = []
      for try await event in client.put(place.path("sent"), as: "a/b") {
        switch event {
        case .progress(let progress): if progress.phase == .moving { moved += 1 }
        case .finished(let result): results.append(result)
        case .notice(let text): Issue.record("\(text)")
        }
      }
      #expect(moved > 0)
      #expect(results.map(\.remote) == ["a/b"])
      #expect(results.map(\.local) == [place.path("sent")])
      #expect(results.map(\.error) == [nil])
      #expect(results.map(\.sent) == [5_000_001])
      #expect(try place.read("root/a/b") == content)

      let again = client.put(place.path("sent"), as: "a/b")
      #expect(try await again.finish().map(\.wasThere) == [true])
      // A transfer is made anew each time.
      #expect(try await again.finish().map(\.wasThere) == [true])

      let got = try await client.get("a/b", to: place.path("got")).finish()
      #expect(got.map(\.total) == [5_000_001])
      #expect(try place.read("got") == content)
    }
  }

  @Test func whatWasCancelledGoesOn() async throws {
    let place = try Workplace()
    defer { place.remove() }
    let content = bytes(64 << 20, seed: 2)
    try place.write(content, "sent")
    // Takes a minute, so it is still under way whenever the test gets its next turn.
    try await place.serving(place.makeServer(rate: 1 << 20)) { client in
      let task = Task {
        for try await event in client.put(place.path("sent")) {
          if case .progress(let progress) = event, progress.done >= 1 << 20 {
            withUnsafeCurrentTask { $0?.cancel() }
          }
        }
      }
      await #expect { try await task.value } throws: { ($0 as? SpliceError)?.code == .cancelled }
      #expect(!place.exists("root/sent"))
    }
    try await place.serving(place.makeServer()) { client in
      let results = try await client.put(place.path("sent")).finish()
      #expect(results.count == 1)
      #expect((results.first?.resumedFrom ?? 0) >= 1 << 20)
      #expect(results.first?.sent == results.first.map { $0.total - $0.resumedFrom })
      #expect(try place.read("root/sent") == content)
    }
  }

  @Test func leavingTheLoopStopsTheTransfer() async throws {
    let place = try Workplace()
    defer { place.remove() }
    try place.write(bytes(24 << 20, seed: 3), "sent")
    let server = try place.makeServer(rate: 512 << 10)
    let events = server.events()
    try await place.serving(server) { client in
      for try await event in client.put(place.path("sent")) {
        if case .progress(let progress) = event, progress.phase == .moving { break }
      }
      let all = await collect(events) { if case .transferEnded = $0 { true } else { false } }
      guard case .transferEnded(let transfer, let code)? = all.last else { return }
      #expect(code == .disconnected)
      #expect(transfer.done < transfer.total)
    }
  }

  @Test func errorsAreExact() async throws {
    let place = try Workplace()
    defer { place.remove() }
    try place.write(bytes(10, seed: 4), "file")
    for address in ["http://host/", "splice://", "splice://host:0/", "splice://host/name"] {
      #expect { try SpliceClient(address) } throws: { ($0 as? SpliceError)?.code == .badURL }
    }
    let server = try place.makeServer()
    try await place.serving(server) { client in
      await expect(.notFound) { try await client.get("nothing", to: place.path("copy")).finish() }
      await expect(.notFound, ENOENT) { try await client.put(place.path("nothing")).finish() }
      await expect(.badPath) { try await client.put(place.path("file"), as: "../up").finish() }
      await expect(.invalidArgument) { try await client.put([]).finish() }
      try await client.put(place.path("file")).finish()
      try place.write(bytes(11, seed: 5), "other")
      await expect(.exists) {
        try await client.put(place.path("other"), as: "file", existing: .refuse).finish()
      }
      #expect(
        try await client.put(place.path("other"), as: "file", existing: .keep).finish().map(\.wasThere) == [true])
      #expect(try place.read("root/file") == bytes(10, seed: 4))
    }
    var client = try SpliceClient("splice://127.0.0.1:\(server.port)/")
    client.patience = .zero
    let gone = client
    await expect(.refused, ECONNREFUSED) { try await gone.put(place.path("file")).finish() }
  }

  private func expect(
    _ code: SpliceError.Code, _ systemError: Int32? = nil,
    _ body: () async throws -> [SpliceTransfer.FileResult]
  ) async {
    await #expect {
      _ = try await body()
    } throws: { error in
      guard let error = error as? SpliceError else { return false }
      return error.code == code && error.systemError == systemError && !error.description.isEmpty
    }
  }
}
