// One request for the daemon's numbers.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV

/// Reads the head of a request, asks all workers, answers and closes. Belongs to the first worker's thread.
///
/// - Limits: holds at most `RequestHead.sizeMax` received bytes, and one page; is closed after
///   `patienceMilliseconds`, whatever its peer does or does not do.
final class MetricsReader {
  private enum State {
    case reading
    /// The workers are being asked.
    case asking
    case answering
    /// All is sent; what still comes is dropped, so that it does not turn the answer into a reset.
    case lingering
    case closed
  }

  private static let patienceMilliseconds: UInt64 = 5000

  private let socket: Socket
  private let watcher: SocketWatcher
  private let worker: Worker
  private let startedAt: Timestamp
  private let deadline: Instant
  private var state = State.reading
  private var head = RequestHead()
  private var output: [UInt8] = []
  private var sent = 0
  private var didEnd: ((MetricsReader) -> Void)?

  init(
    _ socket: Socket, _ worker: Worker, startedAt: Timestamp, didEnd: @escaping (MetricsReader) -> Void
  ) throws(UVError) {
    self.socket = socket
    self.worker = worker
    self.startedAt = startedAt
    self.didEnd = didEnd
    deadline = worker.loop.now.advanced(byMilliseconds: Self.patienceMilliseconds)
    watcher = try SocketWatcher(worker.loop, descriptor: socket.descriptor)
    // LIFETIME: a cycle until the watcher is closed.
    watcher.onEvents = { self.turn($0) }
    watcher.watch(.readable)
  }

  func tick() {
    if deadline < worker.loop.now { close() }
  }

  func close() {
    if case .closed = state { return }
    state = .closed
    watcher.close { self.socket.close() }
    didEnd?(self)
    didEnd = nil
  }

  private func turn(_ events: PollEvents) {
    switch state {
    case .reading: read()
    case .asking: break
    case .answering: write()
    case .lingering: linger()
    case .closed: break
    }
  }

  private func read() {
    var verdict = RequestHead.Verdict.needMore
    let isOpen = withUnsafeTemporaryAllocation(byteCount: RequestHead.sizeMax, alignment: 16) { room in
      do throws(Errno) {
        switch try socket.receive(into: room) {
        case .bytes(let count): verdict = head.append(UnsafeRawBufferPointer(rebasing: room[..<count]))
        case .end: return false
        case .wouldBlock: break
        }
        return true
      } catch { return false }
    }
    guard isOpen else { return close() }
    switch verdict {
    case .needMore: break
    case .page: ask()
    case .notFound: answer("404 Not Found", [UInt8]("the numbers are at /metrics\n"))
    case .badMethod: answer("405 Method Not Allowed\r\nAllow: GET", [UInt8]("only GET is answered\n"))
    case .malformed: answer("400 Bad Request", [UInt8]("not a request of HTTP/1.1\n"))
    case .tooLong: answer("431 Request Header Fields Too Large", [UInt8]("the head is too long\n"))
    }
  }

  private func ask() {
    guard let group = worker.group else { return close() }
    state = .asking
    watcher.stop()
    Inquiry.ask(.report, group) { [self] findings in
      guard case .asking = state else { return }
      let text = MetricsText(findings.reports, worker.shared.syncs.reading, startedAt: startedAt)
      answer("200 OK", text.bytes)
    }
  }

  private func answer(_ status: StaticString, _ body: [UInt8]) {
    output.append("HTTP/1.1 ")
    output.append(status)
    output.append("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: ")
    output.append(decimal: UInt64(body.count))
    output.append("\r\nConnection: close\r\n\r\n")
    output.append(contentsOf: body)
    state = .answering
    write()
  }

  private func write() {
    while sent < output.count {
      let result: Result<Int?, Errno> = output.withUnsafeBytes { raw in
        withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: 1) { pieces in
          pieces.initializeElement(at: 0, to: UnsafeRawBufferPointer(rebasing: raw[sent...]))
          do throws(Errno) {
            return .success(try socket.send(UnsafeBufferPointer(pieces), more: false))
          } catch { return .failure(error) }
        }
      }
      do throws(Errno) {
        guard let count = try result.get() else { return watcher.watch(.writable) }
        sent += count
      } catch { return close() }
    }
    state = .lingering
    do throws(Errno) { try socket.shutdownWrite() } catch { return close() }
    watcher.watch(.readable)
  }

  private func linger() {
    let isOpen = withUnsafeTemporaryAllocation(byteCount: RequestHead.sizeMax, alignment: 16) { scrap in
      do throws(Errno) { return try socket.receive(into: scrap) != .end } catch { return false }
    }
    if !isOpen { close() }
  }
}
