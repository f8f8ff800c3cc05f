// How many may come in, in all and from one address.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV

/// Counts who is inside. Any thread.
final class Door: @unchecked Sendable {
  enum Answer: Equatable {
    case welcome
    /// To be told that there are too many, and to come back.
    case full
    /// There are too many of those, even.
    case closed
  }

  /// So many above the limit are told so and wait for the peer to read it; the next ones are only closed.
  private static let refusalsMax = 32

  private let mutex = Mutex()
  private var connectionsMax = 0
  private var perAddressMax = 0
  private var inside = 0
  private var refused = 0
  private var byAddress: [[UInt8]: Int] = [:]

  /// For those who come from now on.
  ///
  /// - Parameter perAddressMax: 0: as many as in all; nil: as it was.
  func limit(connectionsMax: Int, perAddressMax: Int?) {
    mutex.withLock {
      self.connectionsMax = connectionsMax
      if let perAddressMax { self.perAddressMax = perAddressMax }
    }
  }

  /// Everybody who was not turned away with `.closed` has to `leave`.
  func enter(_ address: [UInt8]) -> Answer {
    mutex.withLock {
      let here = byAddress[address] ?? 0
      if inside - refused >= connectionsMax || (perAddressMax > 0 && here >= perAddressMax) {
        guard refused < Self.refusalsMax else { return .closed }
        refused += 1
        inside += 1
        return .full
      }
      inside += 1
      byAddress[address] = here + 1
      return .welcome
    }
  }

  func leave(_ address: [UInt8], wasRefused: Bool) {
    mutex.withLock {
      inside -= 1
      if wasRefused {
        refused -= 1
      } else if let here = byAddress[address] {
        byAddress[address] = here > 1 ? here - 1 : nil
      }
    }
  }
}
