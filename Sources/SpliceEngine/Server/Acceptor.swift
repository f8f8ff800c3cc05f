// A listening socket: accepts, asks the door, hands over to a worker.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceUV

/// Accepts connections on the first worker's loop and hands each to a worker.
final class Acceptor {
  /// After the process ran out of descriptors, accepting pauses this long: the kernel would report the
  /// same waiting connection again and again.
  private static let pauseMilliseconds: UInt64 = 100
  private static let backlog: Int32 = 511
  /// Connections accepted before the loop looks at the others again.
  private static let turnMax = 64

  private let socket: Socket
  private let service: Service
  private let watcher: SocketWatcher
  private let timer: Timer
  private let shared: Shared
  private let group: WorkerGroup
  private let here: Worker

  init(_ socket: Socket, _ service: Service, _ shared: Shared, _ group: WorkerGroup) throws(UVError) {
    self.socket = socket
    self.service = service
    self.shared = shared
    self.group = group
    here = group.workers[0]
    watcher = try SocketWatcher(here.loop, descriptor: socket.descriptor)
    timer = try Timer(here.loop)
    watcher.onEvents = { _ in self.acceptAll() }
    watcher.watch(.readable)
  }

  static func listen(_ address: SocketAddress) throws(Errno) -> Socket {
    try Socket.listen(on: address, backlog: backlog)
  }

  func close() {
    timer.close()
    watcher.close { self.socket.close() }
  }

  private func acceptAll() {
    for _ in 0..<Self.turnMax {
      do throws(Errno) {
        guard let peer = try socket.accept() else { return }
        admit(peer)
      } catch {
        switch error {
        // The peer was gone before we came; the next one may be there.
        case .connectionAborted: continue
        default: return pause(error)
        }
      }
    }
  }

  private func pause(_ reason: Errno) {
    shared.log.write(.warning) {
      $0.append("cannot accept a connection: ")
      $0.append(reason.name)
      $0.append("; trying again soon")
    }
    watcher.stop()
    timer.start(after: Self.pauseMilliseconds) { self.watcher.watch(.readable) }
  }

  private func admit(_ peer: Socket) {
    let address = peer.peerAddress?.bytes ?? []
    let answer = shared.door.enter(address)
    guard answer != .closed else {
      here.counters.count(.turnedAway)
      return peer.close()
    }
    do throws(Errno) { try peer.setNoDelay() } catch { /* Only latency would suffer. */ }
    let isRefused = answer == .full
    let worker = group.chooseWorker(here: isRefused ? here : nil)
    if worker === here {
      worker.adopt(peer, service, isRefused: isRefused)
    } else if !worker.post(.accept(peer, service)) {
      shared.door.leave(address, wasRefused: false)
      peer.close()
    }
  }
}
