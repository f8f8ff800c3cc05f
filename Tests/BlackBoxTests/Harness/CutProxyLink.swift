// SPDX-License-Identifier: Apache-2.0
// One relayed connection: two sockets, two lanes, one thread.

import Glibc

/// Moves bytes both ways until both sides have ended, a fault ends it, or the proxy stops.
struct CutProxyLink {
  /// One direction: bytes wait here between the socket they came from and the one they go to.
  private struct Lane {
    let direction: CutProxy.Direction
    let from: Int32
    let to: Int32
    var pending: [UInt8] = []
    var sawEnd = false
    var passedEnd = false
  }

  private enum Verdict { case goOn, finished, reset }

  private let proxy: CutProxy
  private let number: Int
  private var lanes: [Lane]

  init(proxy: CutProxy, number: Int, client: Int32, server: Int32) {
    self.proxy = proxy
    self.number = number
    lanes = [
      Lane(direction: .toServer, from: client, to: server), Lane(direction: .toClient, from: server, to: client),
    ]
    for descriptor in [client, server] {
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      Sockets.set(Int32(TCP_NODELAY), 1, level: Int32(IPPROTO_TCP), on: descriptor)
      Sockets.set(SO_SNDBUF, 128 << 10, on: descriptor)
    }
  }

  mutating func run() {
    var verdict = Verdict.goOn
    while verdict == .goOn { verdict = turn() }
    for lane in lanes {
      if verdict == .reset { Sockets.reset(lane.from) } else { close(lane.from) }
    }
  }

  private mutating func turn() -> Verdict {
    let frozen = proxy.isFrozen
    var polls = [pollfd(fd: proxy.stopDescriptor, events: 0, revents: 0)]
    for lane in lanes {
      let isIdle = frozen || lane.passedEnd || lane.sawEnd && lane.pending.isEmpty || proxy.isHeld(lane.direction)
      let (descriptor, events) = lane.pending.isEmpty ? (lane.from, POLLIN) : (lane.to, POLLOUT)
      polls.append(pollfd(fd: isIdle ? -1 : descriptor, events: Int16(events), revents: 0))
    }
    // The short limit is for what no descriptor announces: the end of a hold or of a freeze.
    poll(&polls, nfds_t(polls.count), 5)
    if polls[0].revents != 0 { return .reset }
    if proxy.isFrozen { return .goOn }
    for index in lanes.indices where !lanes[index].passedEnd {
      if polls[index + 1].revents != 0, lanes[index].pending.isEmpty, !receive(index) { return .reset }
      let verdict = deliver(index)
      if verdict != .goOn { return verdict }
    }
    return lanes.allSatisfy(\.passedEnd) ? .finished : .goOn
  }

  /// Takes what has come in one lane; false when the connection has died.
  private mutating func receive(_ index: Int) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = recv(lanes[index].from, &buffer, buffer.count, 0)
    if count < 0 { return errno == EAGAIN }
    if count == 0 { lanes[index].sawEnd = true } else { lanes[index].pending = Array(buffer[..<count]) }
    return true
  }

  /// Sends what one lane may send, and does the faults that come due on the way.
  private mutating func deliver(_ index: Int) -> Verdict {
    let direction = lanes[index].direction
    while !proxy.isHeld(direction) {
      if let fault = proxy.takeFault(direction, hasNextByte: !lanes[index].pending.isEmpty) {
        switch fault {
        case .reset: return .reset
        case .close: return drain()
        case .hold: return .goOn
        case .flip: lanes[index].pending[0] ^= 0x04
        case .call(let body): body()
        }
        continue
      }
      if lanes[index].pending.isEmpty { break }
      let (pending, target) = (lanes[index].pending, lanes[index].to)
      let sent = proxy.pass(pending.count, direction, of: number) { allowed in
        pending.withUnsafeBytes { send(target, $0.baseAddress, allowed, 0) }
      }
      if sent < 0 { return errno == EAGAIN ? .goOn : .reset }
      lanes[index].pending.removeFirst(sent)
    }
    if lanes[index].sawEnd, lanes[index].pending.isEmpty, !proxy.isHeld(direction) {
      shutdown(lanes[index].to, Int32(SHUT_WR))
      lanes[index].passedEnd = true
    }
    return .goOn
  }

  /// Ends both sides in an orderly way and throws away what they still say, until they have ended too.
  private func drain() -> Verdict {
    for lane in lanes { shutdown(lane.to, Int32(SHUT_WR)) }
    var open = Set(lanes.map(\.from))
    var buffer = [UInt8](repeating: 0, count: 65536)
    while !open.isEmpty {
      var polls = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      polls.append(pollfd(fd: proxy.stopDescriptor, events: 0, revents: 0))
      poll(&polls, nfds_t(polls.count), -1)
      if polls.last!.revents != 0 { return .reset }
      for entry in polls.dropLast() where entry.revents != 0 && recv(entry.fd, &buffer, buffer.count, 0) <= 0 {
        open.remove(entry.fd)
      }
    }
    return .finished
  }
}
