// What a Qt session needs of the transfer that it is at.

internal import SpliceBase
internal import SpliceUV
internal import SpliceWire

/// One file on its way. Belongs to the worker's thread; its jobs run on the pool, one at a time.
///
/// Ends by calling `QtSession.transferDidEnd`, once, when it holds no file and no buffer any more.
protocol QtTransfer: AnyObject {
  var path: WirePath { get }
  var activity: SessionActivity { get }
  /// Bytes that are done, and how many there are.
  var progress: (done: UInt64, size: UInt64) { get }
  /// A job is running, or output waits for it.
  var isBusy: Bool { get }
  /// A request is being answered: the next one has to wait.
  var isAnswering: Bool { get }
  /// How many of the next bytes are the file's.
  var missing: UInt64 { get }
  func begin()
  /// The next request, if it goes on with this transfer. Returns false when it does not.
  func handle(_ request: QtRequest) -> Bool
  /// - Parameter slice: of at most `missing` bytes, with its pin.
  func handlePiece(_ slice: Slice)
  /// The reply that the peer waits for, saying that it will not be.
  func refusal(_ status: QtStatus) -> QtReply?
  func produce() -> Bool
  func tick(_ now: Instant)
  func evict()
  func retryLease()
  /// Nobody waits for an answer any more: keep what is worth keeping, and end.
  func abandon()
}

extension QtTransfer {
  var missing: UInt64 { 0 }
  func produce() -> Bool { false }
  func tick(_ now: Instant) {}
  func evict() {}
  func retryLease() {}
}

enum QtLimits {
  /// The clients pass sizes and positions through 32 bits with a sign.
  static let sizeMax = UInt64(Int32.max)
  /// Bytes read or copied by one job, so that others get their turn on the pool.
  static let jobBudget: UInt64 = 32 << 20
  /// A client that comes back from the same address takes over an upload that was quiet for so long: its own, most
  /// likely, over a connection that is dead. It has no name by which it could be known for sure.
  static let takeoverMilliseconds: UInt64 = 1000
  /// How long it waits for that, if the other one is at work.
  static let patienceMilliseconds: UInt64 = 2000
}
