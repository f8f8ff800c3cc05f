// A whole daemon: store, workers, listeners; from start to the last checkpoint.

internal import SpliceBase
package import SpliceSystem
package import SpliceUV
internal import Synchronization

package enum ServerError: Error, Equatable {
  /// This address cannot be listened on.
  case cannotListen(SocketAddress, Errno)
  /// No memory or descriptors for the loops.
  case cannotStart(UVError)
}

/// Runs on the thread that calls `run`, and on one more for each further worker.
package final class Server {
  private let shared: Shared
  private let group: WorkerGroup
  private var acceptors: [Acceptor] = []
  private var signals: [SignalWatcher] = []
  private var threads: [LoopThread] = []
  /// Where it listens, with the ports that the kernel chose.
  package private(set) var addresses: [SocketAddress] = []

  /// Listens on all addresses; connections are accepted once `run` is called.
  package init(_ configuration: ServerConfiguration, _ store: Store, _ log: Log) throws(ServerError) {
    shared = Shared(configuration, store, log)
    do throws(UVError) {
      group = try WorkerGroup(shared)
    } catch { throw .cannotStart(error) }
    for address in configuration.listen {
      let socket: Socket
      do throws(Errno) {
        socket = try Acceptor.listen(address)
      } catch { throw .cannotListen(address, error) }
      addresses.append(socket.localAddress ?? address)
      do throws(UVError) {
        acceptors.append(try Acceptor(socket, shared, group))
      } catch { throw .cannotStart(error) }
    }
  }

  /// Serves until SIGTERM or SIGINT, then checkpoints every unfinished upload and returns.
  package func run() throws(ServerError) {
    let first = group.workers[0]
    do throws(UVError) {
      for number in [SignalWatcher.terminate, SignalWatcher.interrupt] {
        signals.append(try SignalWatcher(first.loop, signal: number) { self.stop() })
      }
      for worker in group.workers.dropFirst() {
        threads.append(try LoopThread { worker.run() })
      }
    } catch { throw .cannotStart(error) }
    first.run()
    for thread in threads { thread.join() }
  }

  private func stop() {
    guard !signals.isEmpty else { return }
    shared.log.write(.notice) { $0.append("stopping: what was received is being checkpointed") }
    for signal in signals { signal.close() }
    signals = []
    for acceptor in acceptors { acceptor.close() }
    acceptors = []
    for worker in group.workers { worker.post(.stop) }
  }
}
