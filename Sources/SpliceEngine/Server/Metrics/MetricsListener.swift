// The address at which Prometheus asks for the daemon's numbers.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV

/// Accepts on the first worker's loop. Everybody who can connect may read the numbers; there are no names of
/// files or clients in them.
final class MetricsListener {
  /// Readers at a time. Prometheus is one; others wait in the kernel's queue, and never for long.
  private static let readersMax = 8
  private static let tickMilliseconds: UInt64 = 250

  private let socket: Socket
  private let watcher: SocketWatcher
  /// Runs while there are readers, or none can be accepted.
  private let timer: Timer
  private let worker: Worker
  private let startedAt = SystemClock.wallNow()
  private var readers: [MetricsReader] = []
  private var isClosed = false

  init(_ socket: Socket, _ worker: Worker) throws(UVError) {
    self.socket = socket
    self.worker = worker
    watcher = try SocketWatcher(worker.loop, descriptor: socket.descriptor)
    timer = try Timer(worker.loop)
    watcher.onEvents = { _ in self.acceptAll() }
    watcher.watch(.readable)
  }

  func close() {
    isClosed = true
    watcher.close { self.socket.close() }
    timer.close()
    for reader in readers { reader.close() }
  }

  private func acceptAll() {
    timer.start(after: Self.tickMilliseconds, repeating: Self.tickMilliseconds) { self.tick() }
    while readers.count < Self.readersMax {
      do throws(Errno) {
        guard let peer = try socket.accept() else { return }
        admit(peer)
      } catch {
        // No descriptors, most likely: the timer looks again.
        break
      }
    }
    watcher.stop()
  }

  private func admit(_ peer: Socket) {
    do throws(UVError) {
      readers.append(
        try MetricsReader(peer, worker, startedAt: startedAt) { gone in
          self.readers.removeAll { $0 === gone }
        })
    } catch { peer.close() }
  }

  private func tick() {
    for reader in readers { reader.tick() }
    if isClosed { return }
    if readers.isEmpty { timer.stop() }
    watcher.watch(.readable)
  }
}
