// What a connection needs of its streams, whichever request opened them.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV
internal import SpliceWire

/// One request under way. Belongs to the worker's thread; its jobs run on the pool, one at a time.
///
/// Ends by calling `Connection.didEnd`, once, when it holds no file and no buffer any more.
protocol ServerStream: AnyObject {
  var id: UInt64 { get }
  var path: WirePath { get }
  var activity: SessionActivity { get }
  /// Bytes that are done, and how many there are.
  var progress: (done: UInt64, size: UInt64) { get }
  /// A job is running, or output waits for it.
  var isBusy: Bool { get }
  /// This stream, if it takes DATA.
  var upload: UploadStream? { get }
  /// What the server's observer hears of it; nil for what is no transfer, and without an observer.
  var report: TransferReport? { get }
  func begin()
  func handleProbe(_ probe: Probe)
  func handleResume(_ resume: Resume)
  /// A block that this stream sent arrived damaged.
  func handleRepeat(_ message: Repeat)
  func handleCommit(_ commit: Commit)
  /// Queues output, one piece. Returns false when there is none now.
  func produce() -> Bool
  func tick(_ now: Instant)
  /// Somebody with a better right wants what this stream holds.
  func evict()
  /// A lease that this stream waits for is free.
  func retryLease()
  /// Nobody waits for an answer any more: keep what is worth keeping, and end.
  func abandon()
}

extension ServerStream {
  var activity: SessionActivity { .other }
  var progress: (done: UInt64, size: UInt64) { (0, 0) }
  var upload: UploadStream? { nil }
  var report: TransferReport? { nil }
  func produce() -> Bool { false }
  func tick(_ now: Instant) {}
  func evict() {}
  func retryLease() {}
}

extension Connection {
  /// Sends an error of one stream.
  func fail(_ stream: UInt64, _ error: StoreError, path: WirePath) {
    fail(stream, ErrorMessage(error.code, path: path.bytes, text: error.sentence))
  }

  func fail(_ stream: UInt64, _ message: ErrorMessage) {
    worker.counters.count(.error(message.code))
    log(.notice) { line in
      line.append(quoting: message.path)
      line.append(": ")
      line.append(contentsOf: message.text)
    }
    find(stream)?.report?.fail(message.code)
    link?.send { message.append(to: &$0, stream: stream) }
  }
}

extension ErrorMessage {
  /// - Parameter holder: its address.
  static func locked(_ path: WirePath, by holder: [UInt8]) -> ErrorMessage {
    var text = [UInt8]("another client")
    if !holder.isEmpty {
      text.append(", ")
      text.append(contentsOf: holder)
      text.append(",")
    }
    text.append(" is writing it")
    return ErrorMessage(.locked, path: path.bytes, text: text)
  }

  static func tooManyTransfers(_ path: WirePath) -> ErrorMessage {
    var busy = ErrorMessage(.busy, path: path.bytes, "the server has as many transfers as it is allowed")
    busy.retryAfterSeconds = 2
    return busy
  }
}
