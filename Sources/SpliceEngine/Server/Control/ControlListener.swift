// The socket for the administrator: who may open it may do what it allows.

internal import SpliceBase
package import SpliceSystem
internal import SpliceUV

/// A name for the control socket.
package struct ControlPlace {
  package let folder: any Directory
  package let name: [UInt8]

  package init(folder: any Directory, name: [UInt8]) {
    self.folder = folder
    self.name = name
  }

  /// Listens there. A socket that a killed daemon left is replaced.
  func listen() throws(Errno) -> Socket {
    let owner: UInt32 = 0o600
    do throws(Errno) {
      return try Socket.listen(in: folder, name: name, permissions: owner, backlog: 16)
    } catch {
      guard error == .addressInUse else { throw error }
    }
    do throws(Errno) {
      try Socket.connect(in: folder, name: name).close()
    } catch {
      guard error == .connectionRefused else { throw .addressInUse }
      try folder.remove(name)
      return try Socket.listen(in: folder, name: name, permissions: owner, backlog: 16)
    }
    throw .addressInUse
  }
}

/// Accepts on the first worker's loop.
final class ControlListener {
  /// Administrators at a time.
  private static let sessionsMax = 16
  private static let tickMilliseconds: UInt64 = 250

  private let place: ControlPlace
  private let socket: Socket
  private let watcher: SocketWatcher
  private let worker: Worker
  private let administration: any Administration
  private var sessions: [ControlSession] = []
  /// Runs while there are sessions: one that has said goodbye does not wait for its peer for ever.
  private let timer: Timer
  private var isClosed = false

  init(_ place: ControlPlace, _ socket: Socket, _ worker: Worker, _ administration: any Administration)
    throws(UVError)
  {
    self.place = place
    self.socket = socket
    self.worker = worker
    self.administration = administration
    watcher = try SocketWatcher(worker.loop, descriptor: socket.descriptor)
    timer = try Timer(worker.loop)
    watcher.onEvents = { _ in self.acceptAll() }
    watcher.watch(.readable)
  }

  /// Those who wait for an answer get it first.
  func close() {
    watcher.close { self.socket.close() }
    do throws(Errno) { try place.folder.remove(place.name) } catch { /* The next daemon replaces it. */ }
    for session in sessions { session.finish() }
    isClosed = true
    if sessions.isEmpty { timer.close() }
  }

  private func tick() {
    for session in sessions { session.tick() }
    guard sessions.isEmpty else { return }
    if isClosed { timer.close() } else { timer.stop() }
  }

  private func acceptAll() {
    while true {
      do throws(Errno) {
        guard let peer = try socket.accept() else { return }
        guard sessions.count < Self.sessionsMax else {
          peer.close()
          continue
        }
        timer.start(after: Self.tickMilliseconds, repeating: Self.tickMilliseconds) { self.tick() }
        do throws(UVError) {
          sessions.append(
            try ControlSession(peer, worker, administration) { gone in
              self.sessions.removeAll { $0 === gone }
            })
        } catch { peer.close() }
      } catch {
        // The kernel reports the one that waits again, when there are descriptors.
        return
      }
    }
  }
}
