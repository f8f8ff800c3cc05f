// A server that answers PING and nothing else must not hold a client.

import Foundation
import SpliceBase
import SpliceWire
import Testing

@testable import SpliceClient

/// Says HELLO and answers every PING, until its peer is gone.
private func servePings(on listener: Int32) {
  let descriptor = accept(listener, nil, nil)
  var hello = FrameDecoder.magic
  Hello().append(to: &hello, stream: 0)
  _ = hello.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  var heard: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = recv(descriptor, &chunk, chunk.count, 0)
    if count <= 0 { break }
    heard += chunk[..<count]
    // A PING of the client is the only frame that consists of these 16 bytes.
    var ping: [UInt8] = []
    FrameHeader(.ping, length: 0, stream: 0).append(to: &ping)
    guard heard.count >= 16, heard.suffix(16).elementsEqual(ping) else { continue }
    var answer: [UInt8] = []
    FrameHeader(.ping, flags: [.reply], length: 0, stream: 0).append(to: &answer)
    _ = answer.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }
  close(descriptor)
}

private final class FailureKeeper: ClientObserver {
  var failures: [ClientError] = []
  func runDidAdvance(_ progress: RunProgress) {}
  func runDidNotice(_ text: [UInt8]) {}
  func runDidFinish(_ result: FileResult) {
    if case .failed(let error) = result.outcome { failures.append(error) }
  }
}

@Suite struct SilentServerTests {
  @Test func connectionWithoutAnswersIsGivenUp() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(listener, $0, length) == 0 && listen(listener, 1) == 0)
        #expect(getsockname(listener, $0, &length) == 0)
      }
    }
    Thread.detachNewThread { servePings(on: listener) }

    let source = ListedSource([RequestTask(.stat, path: Array("x".utf8)) { _ in }])
    let keeper = FailureKeeper()
    let run = try ClientRun(
      .network(host: Array("127.0.0.1".utf8), port: UInt16(bigEndian: address.sin_port)), retrySeconds: 0,
      source: source,
      observer: keeper)
    run.answerMilliseconds = 1000
    try run.run()
    #expect(keeper.failures.map(\.isResumable) == [true])
    #expect(keeper.failures.map { String(decoding: $0.text, as: UTF8.self) }.first?.contains("no answer") == true)
  }

  /// Reading a file of 100 GB from a slow disk takes its time.
  @Test func patienceGrowsWithWhatIsToBeRead() {
    #expect(Patience.forReading(100 << 30).extraMilliseconds > 3 * 3600 * 1000 / 2)
    #expect(Patience.forReading(0) == .forAnAnswer)
  }
}
