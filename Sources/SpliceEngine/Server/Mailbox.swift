// The only way from one worker's thread to another's.

internal import SpliceSystem
internal import SpliceUV

/// What one worker tells another.
enum Message {
  case accept(Socket, Service)
  /// A newer try of the same upload wants the lease that this stream holds.
  case evict(StreamAddress)
  /// The lease that this stream waits for is free.
  case leaseIsFree(StreamAddress)
  case inquiry(Inquiry)
  /// From outside of the server: something to be done on this worker's thread.
  case call(() -> Void)
  /// For the first worker: everybody has answered.
  case inquiryIsAnswered(Inquiry)
  /// The limits are others from now on.
  case reconfigure(ServerConfiguration)
  /// For the first worker: another one has ended.
  case workerDidEnd
  /// Take no new work, and end when there is none.
  case drain
  /// Finish: checkpoint what is under way and end.
  case stop
}

/// Messages for one worker. `post` from any thread; `drain` on the worker's own.
final class Mailbox: @unchecked Sendable {
  private let mutex = Mutex()
  private let wakeup: Wakeup
  private var messages: [Message] = []
  private var isClosed = false

  init(_ loop: Loop) throws(UVError) { wakeup = try Wakeup(loop) }

  /// Called on the worker's thread when there is something to `drain`. Set before anybody posts.
  var onMail: (() -> Void)? {
    get { wakeup.onWake }
    set { wakeup.onWake = newValue }
  }

  /// Returns false when the worker has ended; the message is dropped.
  @discardableResult
  func post(_ message: Message) -> Bool {
    mutex.withLock {
      if isClosed { return false }
      messages.append(message)
      wakeup.signal()
      return true
    }
  }

  /// Everything posted so far. Signals coalesce, so the caller takes all of it.
  func drain() -> [Message] {
    mutex.withLock {
      defer { messages = [] }
      return messages
    }
  }

  /// No message is taken from now on. Returns those that nobody has read: some were promised an answer.
  func close() -> [Message] {
    mutex.withLock { isClosed = true }
    wakeup.close()
    return drain()
  }
}
