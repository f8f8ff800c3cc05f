// SPDX-License-Identifier: Apache-2.0
// Servers that are wrong, hostile, slow or none at all: the client ends in order, and says what is the matter.

import Foundation
import Glibc
import Testing

@Suite struct HostileServerTests {
  /// The body of an ERROR.
  private static func error(_ code: UInt16, retryAfter: UInt32 = 0, _ text: RawString = "") -> [UInt8] {
    wire(code) + wire(retryAfter) + wire(UInt64(0)) + wire(UInt64(0)) + wire("" as RawString) + wire(text)
  }

  /// What a server could send, with fields that lie near the right ones.
  private static func frame(_ random: inout SeededRandom, stream: UInt64, size: Int) -> Frame {
    let digest = random.bytes(32)
    let offsets = [0, 1, blockSize - 1, blockSize, 2 * blockSize, size - 1, size, size, size, size + 1, Int.max]
    func offset() -> [UInt8] { wire(UInt64(offsets.randomElement(using: &random)!)) }
    func block() -> [UInt8] { wire(UInt64(random.number(in: 0...4) == 0 ? 2 * blockSize : blockSize)) }
    let state = UInt8(random.number(in: 1...3))
    switch random.number(in: 0...13) {
    case 0...2: return Frame(.have, stream: stream, [state] + block() + offset() + digest + wire(UInt64(1) << 40))
    case 3, 4, 12:
      let count = [0, 1, 2, 64].randomElement(using: &random)!
      return Frame(.chain, stream: stream, wire(UInt16(count)) + random.bytes(32 * count))
    case 5 where random.number(in: 0...1) == 0: return Frame(.repeat, stream: stream, offset())
    case 5: return Frame(.ack, stream: stream, offset() + offset() + offset())
    case 6: return Frame(.committed, stream: stream, offset() + digest + wire(UInt64(7)))
    case 7, 8:
      let time = wire(Int64(1)) + wire(UInt32(0))
      let proved = UInt8(random.number(in: 0...1))
      let head = [proved] + wire(UInt32(0o644)) + offset()
      return Frame(.give, stream: stream, head + time + block() + wire(UInt64(7)))
    case 9:
      let ends = random.number(in: 0...1) == 0
      let payload = random.bytes([1, 1000, blockSize].randomElement(using: &random)!)
      let flags = ends ? Frame.Flag.endOfBlock : 0
      return Frame(.data, stream: stream, flags: flags, offset() + (ends ? digest : []) + payload)
    case 10: return Frame(.end, stream: stream, offset() + digest)
    case 11: return Frame(.error, stream: stream, error(UInt16(random.number(in: 1...26))))
    default: return Frame(type: UInt8(random.number(in: 1...21)), stream: stream, [])
    }
  }

  /// Any messages in any order: never a crash, never success, and always an end.
  @Test(arguments: Route.allCases)
  func anyOrderOfMessages(_ route: Route) throws {
    try withTrial("\(#function) \(route.rawValue)") { trial in
      // Large enough that messages come while the client reads it.
      let size = 12 * blockSize + 5
      let source = try trial.sample(size)
      let client = try trial.client()
      for round in 0..<50 {
        // Sometimes there is an unfinished file to negotiate about, sometimes a finished one.
        let target = client.folder / "target"
        for name in Files.names(in: client.folder) { try Files.remove(client.folder / name) }
        if round % 3 == 0 { try Files.writeRandom(2 * blockSize, to: target + ".splice-part", using: &trial.random) }
        if round % 3 == 1 { try Files.writeRandom(size, to: target, using: &trial.random) }
        let seed = SeededRandom(test: "\(route.rawValue) \(round)")
        let fake = try trial.fakeServer { connection in
          var random = seed
          connection.greet()
          guard connection.next(route == .put ? .offer : .want) != nil else { return }
          // In one piece, so that one comes while another is being dealt with, or one after the other.
          let isBurst = random.number(in: 0...2) > 0
          var burst: [UInt8] = []
          for step in 0..<random.number(in: 2...8) {
            // Mostly a message that fits the beginning, so that it goes on from there.
            let isFirst = step == 0 && random.number(in: 0...3) > 0
            var frame = Self.frame(&random, stream: 1, size: size)
            while isFirst, frame.kind != (route == .put ? .have : .give) {
              frame = Self.frame(&random, stream: 1, size: size)
            }
            if random.number(in: 0...9) == 0 { frame.stream = UInt64(random.number(in: 0...2)) }
            if isBurst { burst += frame.encoded() } else { connection.send(frame) }
            if !isBurst, random.number(in: 0...1) == 0 { _ = connection.next() }
          }
          connection.send(burst)
          // A close would reset the connection before all was read.
          if isBurst { _ = connection.next() }
        }
        let arguments: [RawString] =
          route == .put ? ["--no-cache", source, fake.url("target")] : [fake.url("target"), target]
        let run = try client.transfer(RawString(route.rawValue), arguments)
        #expect(run.status == 1 || run.status == 75, trial.note("round \(round)\n\(run)"))
        #expect(!run.error.isEmpty, trial.note(run))
      }
    }
  }

  /// CHAIN that nobody asked for, while the client is still reading its file.
  @Test func chainBeforeItWasAskedFor() throws {
    try withTrial { trial in
      let size = 10 * blockSize
      let chain = Frame(.chain, stream: 1, wire(UInt16(0)))
      let head: [UInt8] = [2] + wire(UInt64(blockSize)) + wire(UInt64(5 * blockSize))
      let have = Frame(.have, stream: 1, head + [UInt8](repeating: 1, count: 32) + wire(UInt64(1) << 40))
      let time = wire(Int64(1)) + wire(UInt32(0))
      let tail = wire(UInt64(blockSize)) + wire(UInt64(7))
      let give = Frame(.give, stream: 1, [0] + wire(UInt32(0o644)) + wire(UInt64(size)) + time + tail)
      let fake = try trial.fakeServer { connection in
        connection.greet()
        while let frame = connection.next() {
          if frame.kind == .offer { connection.send(have.encoded() + chain.encoded()) }
          if frame.kind == .want { connection.send(give.encoded() + chain.encoded()) }
        }
      }
      let client = try trial.client()
      let put = try client.transfer("put", ["--no-cache", trial.sample(size), fake.url("x")])
      #expect(put.status == 75 && put.error.contains("does not belong here"), trial.note(put))
      try Files.writeRandom(size, to: client.folder / "x", using: &trial.random)
      let get = try client.transfer("get", [fake.url("x"), "x"])
      #expect(get.status == 75 && get.error.contains("does not belong here"), trial.note(get))
    }
  }

  /// Trying again would not help: an end at once, although there would be time for more tries.
  @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.9\r\n"])
  func otherServerIsNamedAtOnce(_ answer: String) throws {
    try withTrial("\(#function) \(answer.prefix(3))") { trial in
      let fake = try trial.fakeServer { $0.send(Array(answer.utf8)) }
      let run = try trial.client().transfer("get", retryFor: 600, [fake.url("x")])
      #expect(run.status == 1, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("no Splice server"), trial.note(run))
      #expect(run.error.contains("127.0.0.1:\(fake.port)"), trial.note(run))
    }
  }

  @Test func otherVersionIsNamedAtOnce() throws {
    try withTrial { trial in
      let fake = try trial.fakeServer { connection in
        connection.greet(version: 9)
        _ = connection.next(.end)
      }
      let run = try trial.client().transfer("get", retryFor: 600, [fake.url("x")])
      #expect(run.status == 1, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("update the older"), trial.note(run))
    }
  }

  @Test func unknownHostIsNamedAtOnce() throws {
    try withTrial { trial in
      let run = try trial.client().transfer("get", retryFor: 600, ["splice://no..such.host/x"])
      #expect(run.status == 1, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("no..such.host"), trial.note(run))
    }
  }

  /// A port that refuses is tried again, because servers restart; it is said once, and once at the end.
  @Test func refusalIsSaidOnce() throws {
    try withTrial { trial in
      let (descriptor, port) = try Sockets.bound()
      defer { close(descriptor) }
      let run = try trial.client().transfer("get", retryFor: 3, ["splice://127.0.0.1:\(port)/x"])
      #expect(run.status == 75, trial.note(run))
      #expect(run.errorLines.count == 2, trial.note(run))
      #expect(run.errorLines.first?.hasSuffix("trying again") == true, trial.note(run))
    }
  }

  /// An administrator's word is not answered by coming back.
  @Test(arguments: [0, 1])
  func kickedClientStaysAway(_ stream: UInt64) throws {
    try withTrial("\(#function) \(stream)") { trial in
      let fake = try trial.fakeServer { connection in
        connection.greet()
        _ = connection.next(.want)
        connection.send(Frame(.error, stream: stream, Self.error(WireCode.kicked, "thrown out")))
        _ = connection.next(.end)
      }
      let run = try trial.client().transfer("get", retryFor: 600, [fake.url("x")])
      #expect(run.status == 75, trial.note(run))
      #expect(run.errorLines.count == 1 && run.error.contains("thrown out"), trial.note(run))
    }
  }

  /// The first pause would be a fifth of a second; the server asks for three.
  @Test(arguments: [0, 1])
  func advisedPauseIsKept(_ stream: UInt64) throws {
    try withTrial("\(#function) \(stream)") { trial in
      let times = Times()
      let fake = try trial.fakeServer { connection in
        connection.greet()
        _ = connection.next(.want)
        let isFirst = times.note() == 1
        let code = isFirst ? WireCode.busy : WireCode.badPath
        connection.send(Frame(.error, stream: isFirst ? stream : 1, Self.error(code, retryAfter: 3)))
        if isFirst, stream == 1, let again = connection.next(.want) {
          _ = times.note()
          connection.send(Frame(.error, stream: again.stream, Self.error(WireCode.badPath)))
        }
        _ = connection.next(.end)
      }
      let run = try trial.client().transfer("get", retryFor: 600, [fake.url("x")])
      #expect(run.status == 1, trial.note(run))
      #expect(times.gaps.count == 1 && times.gaps[0] >= 2.9, trial.note("\(times.gaps)\n\(run)"))
    }
  }

  /// A client whose clock went back offers too low a number; each try offers a higher one.
  @Test func offerThatIsSupersededIsMadeAgain() throws {
    try withTrial { trial in
      let times = Times()
      let fake = try trial.fakeServer { connection in
        connection.greet()
        for code in [WireCode.superseded, WireCode.badPath] {
          guard let offer = connection.next(.offer) else { return }
          _ = times.note()
          connection.send(Frame(.error, stream: offer.stream, Self.error(code)))
        }
        _ = connection.next(.end)
      }
      let run = try trial.client().transfer("put", retryFor: 60, [trial.sample(100), fake.url("x")])
      #expect(run.status == 1, trial.note(run))
      #expect(times.gaps.count == 1, trial.note(run))
    }
  }

  /// The server says that it closes after two seconds of silence; without that the client pings after ten.
  @Test func pingComesBeforeTheServersPatienceEnds() throws {
    try withTrial { trial in
      let times = Times()
      let fake = try trial.fakeServer { connection in
        connection.greet(idle: 2)
        _ = connection.next(.want)
        _ = times.note()
        guard connection.next(.ping) != nil else { return }
        _ = times.note()
        connection.send(Frame(.error, stream: 1, Self.error(WireCode.badPath)))
        _ = connection.next(.end)
      }
      let run = try trial.client().transfer("get", [fake.url("x")])
      #expect(run.status == 1, trial.note(run))
      #expect(times.gaps.count == 1 && times.gaps[0] < 5, trial.note("\(times.gaps)\n\(run)"))
    }
  }
}

/// When things happened, from any thread.
final class Times: @unchecked Sendable {
  private let lock = NSLock()
  private var moments: [UInt64] = []

  /// Returns how many there are now.
  func note() -> Int {
    lock.withLock {
      moments.append(DispatchTime.now().uptimeNanoseconds)
      return moments.count
    }
  }

  /// Seconds between each two.
  var gaps: [Double] {
    lock.withLock { zip(moments, moments.dropFirst()).map { Double($1 - $0) / 1e9 } }
  }
}
