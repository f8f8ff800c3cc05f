// What one worker has counted since it started.

internal import SpliceWire

/// Bytes of clients.
struct Traffic: Sendable {
  var received: UInt64 = 0
  /// Of files, in blocks that matched their digests.
  var verified: UInt64 = 0
  /// Of files, on stable storage.
  var durable: UInt64 = 0
  var sent: UInt64 = 0

  init() {}

  init(_ entry: SessionEntry) {
    received = entry.received
    verified = entry.verified
    durable = entry.durable
    sent = entry.sent
  }

  static func += (left: inout Traffic, right: Traffic) {
    left.received += right.received
    left.verified += right.verified
    left.durable += right.durable
    left.sent += right.sent
  }
}

enum TransferKind: Int, CaseIterable {
  case upload
  case download

  var name: StaticString {
    switch self {
    case .upload: "upload"
    case .download: "download"
    }
  }
}

/// Why somebody was not served.
enum Refusal {
  /// There were too many clients; it was told so.
  case tooManyClients
  /// There were too many of those, too; it was told nothing.
  case turnedAway
  case error(ErrorCode)

  static let count = 2 + ErrorCode.allCases.count

  fileprivate var index: Int {
    switch self {
    case .tooManyClients: 0
    case .turnedAway: 1
    // Codes begin at 1 and have no gaps.
    case .error(let code): 1 + Int(code.rawValue)
    }
  }

  static func name(at index: Int) -> StaticString {
    switch index {
    case 0: "too_many_clients"
    case 1: "turned_away"
    default: ErrorCode.allCases[index - 2].name
    }
  }
}

/// Plain integers, because they belong to the worker's thread; whoever asks gets a copy.
///
/// Bytes of clients that are still there are not in it: their sessions know them.
struct Counters: Sendable {
  /// By `Service`.
  private(set) var opened = [UInt64](repeating: 0, count: Service.allCases.count)
  private(set) var traffic = [Traffic](repeating: Traffic(), count: Service.allCases.count)
  /// By `SessionEnd.Kind`.
  private(set) var ends = [UInt64](repeating: 0, count: SessionEnd.Kind.allCases.count)
  /// By `TransferKind`.
  private(set) var begun = [UInt64](repeating: 0, count: TransferKind.allCases.count)
  private(set) var completed = [UInt64](repeating: 0, count: TransferKind.allCases.count)
  /// By `Refusal`.
  private(set) var refusals = [UInt64](repeating: 0, count: Refusal.count)
  private(set) var resumes: UInt64 = 0
  private(set) var resumedBytes: UInt64 = 0
  private(set) var salvagedBytes: UInt64 = 0

  mutating func count(opened service: Service) { opened[service.rawValue] += 1 }

  mutating func count(ended reason: SessionEnd.Kind) { ends[reason.rawValue] += 1 }

  mutating func count(_ more: Traffic, of service: Service) { traffic[service.rawValue] += more }

  mutating func count(begun kind: TransferKind) { begun[kind.rawValue] += 1 }

  mutating func count(completed kind: TransferKind) { completed[kind.rawValue] += 1 }

  mutating func count(_ refusal: Refusal) { refusals[refusal.index] += 1 }

  /// A transfer goes on behind `bytes`, of which `held` there were: what is left of a prefix that differed was
  /// salvaged.
  mutating func count(resumedAt bytes: UInt64, held: UInt64) {
    guard bytes > 0 else { return }
    resumes += 1
    resumedBytes += bytes
    if bytes < held { salvagedBytes += bytes }
  }
}

/// What a worker answers when it is asked for its numbers.
struct WorkerReport: Sendable {
  let worker: Int
  /// With the bytes of the clients that are there.
  var counters: Counters
  /// Clients that are there, by `Service`.
  var open = [UInt64](repeating: 0, count: Service.allCases.count)
  var transfers: UInt64 = 0
  let buffersMax: UInt64
  let buffersUsed: UInt64
  /// How often a client had to wait for a buffer.
  let bufferWaits: UInt64
}
