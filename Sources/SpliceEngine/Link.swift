// One connection as both programs see it: frames in, frames and file ranges out, backpressure both ways.

package import SpliceBase
package import SpliceSystem
package import SpliceUV
package import SpliceWire

/// Why a link ended.
package enum LinkEnd: Equatable {
  /// The peer closed it between two messages, or where there are no frames.
  case closedByPeer
  /// The peer closed it in the middle of a message.
  case cutOff
  case failed(Errno)
  /// The peer sent bytes that are no protocol.
  case malformed(WireError)
  /// A file became shorter while it was sent.
  case fileEnded
  /// `finish` or `close` was called.
  case closedHere
}

package protocol LinkOwner: AnyObject {
  func linkDidReceive(_ header: FrameHeader, body: [UInt8])
  func linkDidBeginData(_ prefix: DataPrefix)
  /// The owner has the pin of `slice` and gives it back to the pool.
  func linkDidReceiveData(_ slice: Slice, isLast: Bool)
  /// Bytes as they came, on a link without frames. The owner has the pin of `slice` and gives it back to the pool.
  func linkDidReceiveRaw(_ slice: Slice)
  /// Much is coming. Returns false when the link shall not read the socket now, because the owner has
  /// borrowed the receive side, or will soon.
  func linkMayReceive() -> Bool
  /// There is room for output. Returns false when there is nothing to send now.
  func linkWantsOutput() -> Bool
  /// The peer's bytes cannot be read any further. The link ends with the return of this call, unless it
  /// says why and calls `finish`.
  func linkDidFind(_ error: WireError)
  /// The last call. Output that was waiting is dropped.
  func linkDidEnd(_ end: LinkEnd)
}

extension LinkOwner {
  package func linkMayReceive() -> Bool { true }
  /// Of a link with frames.
  package func linkDidReceiveRaw(_ slice: Slice) { panic("a link with frames gives its owner messages") }
}

/// Drives one transport on one loop: receives into pooled buffers, finds the frames where they lie, sends
/// what is queued when the peer takes it.
///
/// Belongs to the loop's thread. The owner keeps the link, and the link its owner, until `linkDidEnd`.
///
/// - Limits: holds no buffer while idle; at most `Limits.connectionBacklogMax` received bytes wait for the
///   owner; each turn moves at most its `TurnShare` each way, so that one fast peer cannot hold
///   the loop.
package final class Link {
  private enum State {
    case open
    /// Output is sent, then the write side is shut; what still comes is read and dropped, so that the
    /// peer's unread bytes do not turn our last message into a reset.
    case finishing
    case closed
  }

  /// A buffer with less room than this is not received into any more.
  private static let receiveMin = 32 << 10
  /// How long a finishing link waits for its peer, in milliseconds.
  private static let lingerMilliseconds: UInt64 = 2000

  package let pool: BufferPool
  private let loop: Loop
  private let transport: any Transport
  private let intake: Intake
  private var share: TurnShareHolder
  private let watcher: SocketWatcher
  private var owner: (any LinkOwner)?
  private var state = State.open
  /// Whether the peers speak frames, or something that the owner reads by itself.
  private let hasFrames: Bool
  private let output = OutputQueue()
  private var filling: Buffer?
  private var isReading = true
  /// A job has the receive side.
  private var isLent = false
  /// The peer sends faster than this side reads: what was read last filled its buffer, or a job's time.
  private var isBulk = false
  private var isWaitingForPool = false
  /// Set before the first turn; nil: as fast as it goes.
  package var throttle: Throttle?
  private var isThrottled = false
  private var isBlocked = false
  private var isShut = false
  /// The watcher has closed: the socket may be closed, too.
  private var isUnwatched = false
  private var isInTurn = false
  /// `flushSoon` was called.
  private var isFlushDue = false
  private var finishDeadline: Instant?
  /// When something useful last came or went: a whole message, file bytes, bytes sent.
  package private(set) var lastProgress: Instant
  private var bytesSinceProgress = 0
  package private(set) var bytesReceived: UInt64 = 0
  /// Nothing is half received.
  package var isBetweenMessages: Bool { !isLent && intake.decoder.isBetweenMessages }
  package private(set) var bytesSent: UInt64 = 0

  /// Starts to read. Both sides begin with the magic, so it is queued here.
  package init(
    _ loop: Loop, _ transport: any Transport, pool: BufferPool, sharing share: TurnShare = TurnShare(),
    owner: any LinkOwner, hasFrames: Bool = true
  ) throws(UVError) {
    self.loop = loop
    self.share = TurnShareHolder(share)
    self.hasFrames = hasFrames
    self.transport = transport
    intake = Intake(transport)
    self.pool = pool
    self.owner = owner
    lastProgress = loop.now
    watcher = try SocketWatcher(loop, descriptor: transport.descriptor)
    if hasFrames { output.append { $0.append(contentsOf: FrameDecoder.magic) } }
    // LIFETIME: a cycle, so that a turn never outlives its link; closing the watcher breaks it.
    watcher.onEvents = { self.turn($0) }
    updateWatch()
  }

  package var isOpen: Bool {
    if case .open = state { return true }
    return false
  }

  /// Bytes queued and not sent.
  package var outputCount: Int { output.count }

  // MARK: Sending

  /// Queues messages. They leave at the end of the turn, or with `flush`.
  package func send(_ body: (inout [UInt8]) -> Void) {
    guard isOpen else { return }
    output.append(body)
  }

  /// Queues a slice; its pin goes to the link.
  package func send(_ slice: Slice) {
    guard isOpen else { return pool.unpin(slice.buffer) }
    output.append(slice)
  }

  package func send(_ file: any File, offset: UInt64, count: Int) {
    guard isOpen else { return }
    output.append(file, offset: offset, count: count)
  }

  /// Sends what is queued and asks the owner for more, within the turn's budget. To be called after
  /// anything that queued output outside of a turn of this link.
  package func flush() {
    guard !isInTurn else { return }
    isInTurn = true
    pump()
    isInTurn = false
    updateWatch()
  }

  /// As `flush`, when the socket is polled next. The answers of jobs that end together leave together.
  package func flushSoon() {
    guard !isInTurn else { return }
    isFlushDue = true
    updateWatch()
  }

  /// What this turn may move; 0: the rate says to wait.
  private func turnBudget() -> Int {
    guard let allowed = throttle?.allowance() else { return share.budget }
    if allowed == 0, !isThrottled {
      isThrottled = true
      throttle?.keeper.wait(self)
    }
    return min(share.budget, allowed)
  }

  func mayGoOn() {
    isThrottled = false
    flush()
  }

  private func pump() {
    // A goodbye is not held up.
    var budget = isOpen ? turnBudget() : share.budget
    isBlocked = false
    isFlushDue = false
    while budget > 0 {
      if case .closed = state { return }
      if isOpen {
        while output.count < Limits.outputHighWater, owner?.linkWantsOutput() == true {}
      }
      if output.isEmpty { break }
      do throws(SendFailure) {
        let (sent, blocked) = try output.flush(transport, budget: budget, pool: pool)
        budget -= sent
        throttle?.take(sent)
        bytesSent += UInt64(sent)
        if sent > 0 { lastProgress = loop.now }
        isBlocked = blocked
        if blocked { return }
      } catch {
        switch error {
        case .socket(let errno): return end(.failed(errno))
        case .fileEnded: return end(.fileEnded)
        }
      }
    }
    if case .finishing = state, output.isEmpty, !isShut {
      isShut = true
      do throws(Errno) { try transport.shutdownWrite() } catch { end(.closedHere) }
    }
  }

  // MARK: Receiving

  /// False stops reading the socket: the owner has enough to do.
  package func setReading(_ wanted: Bool) {
    isReading = wanted
    if !isInTurn { updateWatch() }
  }

  /// A peer that does not read its answers may not ask for more.
  private var mayRead: Bool { isReading && output.messageCount < Limits.answerBacklogMax }

  private func turn(_ events: PollEvents) {
    if case .closed = state { return }
    isInTurn = true
    if events.contains(.readable) || events.contains(.disconnect) { receive() }
    pump()
    isInTurn = false
    updateWatch()
  }

  private func receive() {
    var budget = isOpen ? turnBudget() : share.budget
    while budget > 0, !isLent {
      guard case .open = state else {
        if case .finishing = state { drain() }
        return
      }
      guard mayRead else { return }
      if isBulk, owner?.linkMayReceive() == false { return }
      guard let buffer = bufferToFill() else {
        isWaitingForPool = true
        return pool.wait(self)
      }
      defer { pool.unpin(buffer) }
      let space = buffer.bytes.count - buffer.filled
      // Elsewhere the budget only ends a turn; what a rate allows is not to be overdrawn by more than it fills soon.
      let most = throttle == nil ? space : min(space, budget)
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[buffer.filled..<buffer.filled + most])
      let received: Received
      do throws(Errno) { received = try transport.receive(into: room) } catch { return end(.failed(error)) }
      switch received {
      case .bytes(let count):
        budget -= count
        throttle?.take(count)
        bytesReceived += UInt64(count)
        let start = buffer.filled
        buffer.filled += count
        isBulk = count == space || count >= Limits.bulkMin
        parse(buffer, start..<buffer.filled)
        // The socket is empty: asking again would only cost a system call.
        if count < room.count { return }
      case .end: return end(!hasFrames || intake.decoder.isBetweenMessages ? .closedByPeer : .cutOff)
      case .wouldBlock: return
      }
    }
  }

  /// The buffer that was begun, while somebody still reads its first part, or a new one; pinned.
  private func bufferToFill() -> Buffer? {
    if let filling {
      if filling.bytes.count - filling.filled >= Self.receiveMin {
        pool.pin(filling)
        return filling
      }
      filling.filler = nil
    }
    filling = pool.take()
    filling?.filler = self
    return filling
  }

  func didLoseBuffer() { filling = nil }

  /// Returns false when none is wanted any more.
  func poolHasBuffer() -> Bool {
    isWaitingForPool = false
    updateWatch()
    return isOpen && mayRead
  }

  /// The owner of a link without frames has found a whole message.
  package func didMakeProgress() { lastProgress = loop.now }

  private func parse(_ buffer: Buffer, _ range: Range<Int>) {
    guard hasFrames else {
      noteProgress(range.count)
      pool.pin(buffer)
      owner?.linkDidReceiveRaw(Slice(buffer: buffer, range: range))
      return
    }
    let input = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<range.upperBound])
    var position = range.lowerBound
    while isOpen {
      let event: FrameEvent
      do throws(WireError) { event = try intake.decoder.next(input, &position) } catch {
        return didFind(error)
      }
      if case .needMore = event { return }
      tell(event, buffer)
    }
  }

  private func tell(_ event: FrameEvent, _ buffer: Buffer) {
    switch event {
    case .needMore: break
    case .message(let header, let body):
      lastProgress = loop.now
      owner?.linkDidReceive(header, body: body)
    case .dataBegins(let prefix): owner?.linkDidBeginData(prefix)
    case .dataPiece(let range, let isLast):
      noteProgress(range.count)
      guard let owner else { return }
      pool.pin(buffer)
      owner.linkDidReceiveData(Slice(buffer: buffer, range: range), isLast: isLast)
    }
  }

  private func noteProgress(_ dataCount: Int) {
    bytesSinceProgress += dataCount
    guard bytesSinceProgress >= Limits.progressMin else { return }
    bytesSinceProgress = 0
    lastProgress = loop.now
  }

  private func didFind(_ error: WireError) {
    owner?.linkDidFind(error)
    if isOpen { end(.malformed(error)) }
  }

  // MARK: Lending

  /// The receive side, for a job that drains it. To be given back with `takeBack`; until then nothing is
  /// received here, and the socket stays open whatever happens. nil when the link cannot be read now; it
  /// asks again when it can.
  package func lend() -> Intake? {
    guard isOpen, mayRead, !isLent, !isWaitingForPool else { return nil }
    // A job cannot ask for more while it takes; where a rate holds, the processor is not what is short.
    if let allowed = throttle?.allowance(), allowed < .max { return nil }
    guard let buffer = pool.takeForBulk() else {
      isWaitingForPool = true
      pool.wait(self)
      return nil
    }
    isLent = true
    intake.beginLoan(buffer)
    return intake
  }

  /// Takes the receive side back and tells the owner what came behind the bytes that the job took. The
  /// caller calls `flush` later.
  ///
  /// - Returns: whether the socket was left with something to read, so that it could be lent again at once.
  package func takeBack() -> Bool {
    let buffer = intake.endLoan()
    defer { pool.unpin(buffer) }
    isLent = false
    isBulk = intake.received >= Limits.bulkMin
    bytesReceived += UInt64(intake.received)
    throttle?.take(intake.received)
    noteProgress(intake.received)
    if case .closed = state {
      if isUnwatched { transport.close() }
      return false
    }
    let wasInTurn = isInTurn
    isInTurn = true
    defer { isInTurn = wasInTurn }
    switch intake.pause {
    case .empty: return false
    case .more: parse(buffer, intake.position..<buffer.filled)
    case .event(let event):
      if isOpen { tell(event, buffer) }
      parse(buffer, intake.position..<buffer.filled)
    case .ended: end(!isOpen ? .closedHere : intake.decoder.isBetweenMessages ? .closedByPeer : .cutOff)
    case .failed(let errno): end(isOpen ? .failed(errno) : .closedHere)
    case .malformed(let error): if isOpen { didFind(error) }
    }
    return isOpen && mayRead && isBulk
  }

  /// Reads and drops what a peer sends that we have said goodbye to.
  private func drain() {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { scrap in
      for _ in 0..<64 {
        do throws(Errno) {
          switch try transport.receive(into: scrap) {
          case .bytes: continue
          case .end: return end(.closedHere)
          case .wouldBlock: return
          }
        } catch { return end(.closedHere) }
      }
    }
  }

  // MARK: Ending

  /// Sends what is queued, then ends. For refusals that the peer should be able to read.
  package func finish() {
    guard isOpen else { return }
    state = .finishing
    pool.stopWaiting(self)
    finishDeadline = loop.now.advanced(byMilliseconds: Self.lingerMilliseconds)
    flush()
  }

  /// Ends now; what is queued is dropped.
  package func close() { end(.closedHere) }

  /// To be called now and then: ends a finishing link whose peer does not go away.
  package func tick() {
    if let finishDeadline, finishDeadline < loop.now { end(.closedHere) }
  }

  private func end(_ reason: LinkEnd) {
    if case .closed = state { return }
    state = .closed
    share.setBusy(false)
    output.removeAll(pool)
    filling?.filler = nil
    filling = nil
    pool.stopWaiting(self)
    throttle?.keeper.stopWaiting(self)
    let owner = self.owner
    self.owner = nil
    // The descriptor must outlive its watcher's registration, and the job that reads it.
    watcher.close {
      self.isUnwatched = true
      if !self.isLent { self.transport.close() }
    }
    owner?.linkDidEnd(reason)
  }

  private func updateWatch() {
    if case .closed = state { return }
    var events: PollEvents = []
    let mayReceive = isOpen ? mayRead && !isWaitingForPool && !isThrottled : true
    if mayReceive, !isLent { events.insert(.readable) }
    // Output that is left without being blocked used up its budget: the socket is writable, so the loop
    // comes back at once, after the others.
    if !output.isEmpty || isFlushDue, !(isOpen && isThrottled) { events.insert(.writable) }
    share.setBusy(!output.isEmpty)
    watcher.watch(events)
  }
}
