// Serves a folder, says what its clients do, and shows the door to whoever sends a file that is not wanted.
//
//   swift run serve FOLDER [ADDRESS:PORT [BYTES-A-SECOND]]

import Dispatch
import Foundation
import Splice

@main struct Serve {
  static func main() async throws {
    let arguments = CommandLine.arguments
    guard (2...4).contains(arguments.count) else {
      print("usage: serve FOLDER [ADDRESS:PORT [BYTES-A-SECOND]]")
      exit(2)
    }
    var options = SpliceServer.Options()
    if arguments.count > 2 { options.listen = [arguments[2]] }
    if arguments.count > 3 { options.clientRate = UInt64(arguments[3]) ?? 0 }
    do {
      let server = try SpliceServer(folder: SplicePath(arguments[1]), options)
      say("serving \(arguments[1]) on port \(server.port)")
      let end = stopAtTermination(server)
      defer { end.cancel() }
      try await withThrowingTaskGroup(of: Void.self) { group in
        let events = server.events()
        group.addTask { try await server.run() }
        for await event in events { await handle(event, of: server) }
        try await group.waitForAll()
      }
    } catch let error as SpliceError {
      say("\(error)")
      exit(1)
    }
  }

  static func handle(_ event: SpliceServer.Event, of server: SpliceServer) async {
    switch event {
    case .connected(let client, let address): say("client \(client) connected from \(address)")
    case .disconnected(let client, let code): say("client \(client) left\(code.map { ": \($0)" } ?? "")")
    case .transferBegan(let transfer):
      say("client \(transfer.client) \(transfer.isUpload ? "sends" : "fetches") \(transfer.path)")
      if transfer.isUpload, transfer.path.description.hasSuffix(".exe") {
        // It may have gone by itself meanwhile.
        try? await server.disconnect(transfer.client)
      }
    case .transferProgressed: break
    case .transferEnded(let transfer, let code):
      say("client \(transfer.client) \(transfer.path): \(code.map { "\($0)" } ?? "done")")
    }
  }

  /// Unfinished uploads are made durable before the program ends.
  static func stopAtTermination(_ server: SpliceServer) -> any DispatchSourceSignal {
    signal(SIGTERM, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
    source.setEventHandler { server.stop() }
    source.resume()
    return source
  }

  static func say(_ text: String) {
    print(text)
    fflush(nil)
  }
}
