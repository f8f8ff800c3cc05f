// What a daemon was told on its command line.

internal import SpliceBase
package import SpliceSystem

package struct ServerConfiguration: Sendable {
  package var listen: [SocketAddress] = []
  /// Where clients with the protocol of docs/qt.md are served.
  package var listenForQt: [SocketAddress] = []
  /// Where Prometheus may ask.
  package var metrics: SocketAddress?
  /// A Qt client that holds the first part of a file gets the rest only. The original client damages its file
  /// then.
  package var trustsQtResume = false
  /// Loops, each with its own thread and share of the memory.
  package var workers = 1
  package var connectionsMax = 1024
  /// Of one address; 0: as many as in all.
  package var perAddressMax = 0
  /// Uploads and downloads at a time; 0: as many as the memory is for.
  package var transfersMax = 0
  /// The limit that holds.
  var transferLimit: Int { transfersMax > 0 ? transfersMax : max(64, memory / Limits.transferCost) }
  /// Requests at a time of a connection that begins now: half of the transfers that are left. Who comes while others
  /// are at work leaves room for the next one, too.
  func streamLimit(besides transfers: Int) -> Int {
    min(Limits.streamsPerConnectionMax, max(Limits.streamsPerConnectionMin, (transferLimit - transfers) / 2))
  }
  /// Bytes a second, received and sent together, of all clients and of each; 0: no limit.
  package var rate: UInt64 = 0
  package var sessionRate: UInt64 = 0
  /// Bytes of the file system that uploads leave free.
  package var freeSpaceMin: UInt64 = 0
  /// Bytes for receive buffers, all workers together.
  package var memory = 16 << 20
  /// A checkpoint is due after so many bytes …
  package var checkpointBytes: UInt64 = 64 << 20
  /// … or so many milliseconds, whichever comes first.
  package var checkpointMilliseconds: UInt64 = 5000
  /// A peer that is silent for so long is disconnected.
  package var idleMilliseconds: UInt64 = 60_000
  /// Partials that nobody touched for so long are removed.
  package var partialExpirySeconds: UInt64 = 7 * 86_400
  package var isReadOnly = false

  package init() {}
}
