// How fast one link may go: its own rate, and its part in that of all.

internal import SpliceBase
internal import SpliceCore
package import SpliceUV

/// The rate of all links of one loop together, and the links that wait for their turn.
///
/// Belongs to the loop's thread.
package final class RateKeeper {
  /// Links that have used up what they may are looked at again after this time.
  private static let pauseMilliseconds: UInt64 = 20

  private let loop: Loop
  private let timer: Timer
  private var limit: RateLimit?
  private var waiting: [Link] = []

  package init(_ loop: Loop) throws(UVError) {
    self.loop = loop
    timer = try Timer(loop)
  }

  /// - Parameter bytesPerSecond: 0: no limit.
  package func setRate(_ bytesPerSecond: UInt64) {
    limit = bytesPerSecond > 0 ? RateLimit(bytesPerSecond: bytesPerSecond, now: loop.now) : nil
  }

  package func close() { timer.close() }

  var now: Instant { loop.now }

  func allowance() -> Int { limit?.allowance(now: loop.now) ?? .max }

  func take(_ count: Int) { limit?.take(count) }

  func wait(_ link: Link) {
    if waiting.isEmpty { timer.start(after: Self.pauseMilliseconds) { self.wakeAll() } }
    waiting.append(link)
  }

  func stopWaiting(_ link: Link) { waiting.removeAll { $0 === link } }

  private func wakeAll() {
    let woken = waiting
    waiting = []
    for link in woken { link.mayGoOn() }
  }
}

/// The rates that hold for one link. Received and sent bytes count alike.
package struct Throttle {
  let keeper: RateKeeper
  private var own: RateLimit?

  /// - Parameter bytesPerSecond: of this link alone; 0: no limit.
  package init(_ keeper: RateKeeper, bytesPerSecond: UInt64) {
    self.keeper = keeper
    own = bytesPerSecond > 0 ? RateLimit(bytesPerSecond: bytesPerSecond, now: keeper.now) : nil
  }

  /// Bytes that may go now; 0: wait.
  mutating func allowance() -> Int {
    min(keeper.allowance(), own?.allowance(now: keeper.now) ?? .max)
  }

  mutating func take(_ count: Int) {
    keeper.take(count)
    own?.take(count)
  }
}
