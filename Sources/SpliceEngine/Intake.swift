// The receive side of a link, which a job of the pool can have for a while.

internal import SpliceBase
internal import SpliceSystem
package import SpliceWire
internal import Synchronization

/// Takes file bytes where they are received. Called on a thread of the pool.
package protocol IntakeTaker: AnyObject {
  /// A DATA frame begins. Returns false, with nothing changed, when it is for the owner of the link.
  func takeData(_ prefix: DataPrefix) -> Bool
  /// Returns false when no more is wanted now.
  func take(_ bytes: UnsafeRawBufferPointer, isLast: Bool) -> Bool
}

/// What a link receives from, and how far it has understood what came.
///
/// A byte that is received, hashed and written by one thread while it is in that processor's cache costs
/// half of what it costs when a second thread has to fetch it. So in the middle of a large upload the link
/// lends this to a job, which reads the socket itself.
///
/// - Threads: the loop's; while lent, the job's, all but `stop`. Sending goes on meanwhile.
package final class Intake {
  /// Why `drain` returned.
  enum Pause: Equatable {
    /// The socket is empty.
    case empty
    /// There may be more: the budget is used up, or the taker wanted no more.
    case more
    /// This comes next, and is for the owner of the link.
    case event(FrameEvent)
    case ended
    case failed(Errno)
    case malformed(WireError)
  }

  /// The longest thing between the bytes of two frames of an upload.
  private static let headMax = FrameHeader.byteCount + DataPrefix.byteCountMax
  private static let pageSize = 4096

  let transport: any Transport
  var decoder = FrameDecoder()

  // Of one loan.
  private(set) var buffer: Buffer?
  /// What is before it, in the buffer, is understood.
  private(set) var position = 0
  private(set) var received = 0
  private(set) var pause = Pause.empty
  private let isStopped = Atomic<Bool>(false)

  init(_ transport: any Transport) { self.transport = transport }

  /// Takes over the pin of `buffer`.
  func beginLoan(_ buffer: Buffer) {
    require(self.buffer == nil, "a receive side is lent once")
    self.buffer = buffer
    position = 0
    received = 0
    pause = .empty
    isStopped.store(false, ordering: .relaxed)
  }

  /// Returns the buffer with its pin.
  func endLoan() -> Buffer {
    guard let buffer else { panic("a receive side that is not lent came back") }
    self.buffer = nil
    return buffer
  }

  /// Lets `drain` return soon. For any thread.
  package func stop() { isStopped.store(true, ordering: .relaxed) }

  /// Receives and hands on until the socket is empty, something else than bytes for `taker` comes, or others
  /// should have their turn. On a thread of the pool; never blocks on the socket.
  package func drain(into taker: any IntakeTaker) {
    guard let buffer else { panic("a receive side is lent before it is drained") }
    var pause = Pause.more
    receiving: repeat {
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[buffer.filled..<roomWanted(in: buffer)])
      do throws(Errno) {
        switch try transport.receive(into: room) {
        case .bytes(let count):
          received += count
          buffer.filled += count
        case .end:
          pause = .ended
          break receiving
        case .wouldBlock:
          pause = .empty
          break receiving
        }
      } catch {
        pause = .failed(error)
        break receiving
      }
      if isBlockAhead(of: buffer), buffer.filled < Limits.dataPayloadMax { continue }
      guard handOn(all: buffer, taker) else { return }
      // A job that ended in the middle of a block would leave the next one out of step with the blocks.
    } while (received < Limits.drainBudget || buffer.filled > 0) && !isStopped.load(ordering: .relaxed)
    // Part of a block, if anything.
    if handOn(all: buffer, taker) { self.pause = pause }
  }

  /// A block in a wide buffer is handed on as one: written so, it needs not be copied for the page cache.
  private func isBlockAhead(of buffer: Buffer) -> Bool {
    buffer.isWide && decoder.dataRemaining == Limits.dataPayloadMax
  }

  /// Blocks, and so most frames, end at whole pages of the file. A write that ends there, too, costs least,
  /// and the next one begins there.
  private func roomWanted(in buffer: Buffer) -> Int {
    let size = isBlockAhead(of: buffer) ? Limits.dataPayloadMax : Limits.portionSize
    guard let remaining = decoder.dataRemaining else {
      // The next block is to begin at a page of a wide buffer.
      return buffer.isWide ? decoder.needed : size + Self.headMax
    }
    if remaining <= size { return remaining + Self.headMax }
    return size - (size - remaining) & (Self.pageSize - 1)
  }

  /// Returns false, with the reason in `pause`, when not everything was handed on.
  private func handOn(all buffer: Buffer, _ taker: any IntakeTaker) -> Bool {
    let input = UnsafeRawBufferPointer(rebasing: buffer.bytes[..<buffer.filled])
    position = 0
    while true {
      let event: FrameEvent
      do throws(WireError) { event = try decoder.next(input, &position) } catch {
        pause = .malformed(error)
        return false
      }
      switch event {
      case .needMore:
        position = 0
        buffer.filled = 0
        return true
      case .dataBegins(let prefix) where taker.takeData(prefix): continue
      case .dataPiece(let range, let isLast):
        if !taker.take(UnsafeRawBufferPointer(rebasing: input[range]), isLast: isLast) {
          pause = .more
          return false
        }
      case .dataBegins, .message:
        pause = .event(event)
        return false
      }
    }
  }
}
