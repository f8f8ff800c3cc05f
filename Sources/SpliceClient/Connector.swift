// From a host name to a connected socket.

internal import SpliceBase
internal import SpliceEngine
package import SpliceSystem
package import SpliceUV
internal import SpliceWire

/// Where a server is.
package enum ServerPlace: Sendable {
  case network(host: [UInt8], port: UInt16)
  /// A Unix socket: the control socket of a daemon.
  case local([UInt8])
}

extension Array where Element == UInt8 {
  /// "host:7420", or the path of a socket.
  mutating func append(_ place: ServerPlace) {
    switch place {
    case .network(let host, let port):
      append(contentsOf: host)
      append(":")
      append(decimal: UInt64(port))
    case .local(let path): append(contentsOf: path)
    }
  }
}

/// Resolves a name and tries its addresses in the order given, one at a time. Loop's thread.
package final class Connector {
  private static let timeoutMilliseconds: UInt64 = 10_000

  private let loop: Loop
  private let place: ServerPlace
  private var completion: ((Result<Socket, ClientError>) -> Void)?
  private var addresses: [ResolvedAddress] = []
  private var socket: Socket?
  private var watcher: SocketWatcher?
  private var timer: Timer?
  private var resolver: Resolver?
  private var lastError: StaticString = "the name has no address"
  private var lastCause = ClientError.Cause.unspecified

  /// - Parameter completion: called once, later or at once, unless `cancel` comes first.
  package init(
    _ loop: Loop, _ place: ServerPlace,
    completion: @escaping (Result<Socket, ClientError>) -> Void
  ) {
    self.loop = loop
    self.place = place
    self.completion = completion
  }

  package func start() {
    switch place {
    case .network(let host, let port): resolve(host, port)
    case .local(let path): connect(toLocal: path)
    }
  }

  private func connect(toLocal path: [UInt8]) {
    let slash = path.lastIndex(of: UInt8(ascii: "/"))
    let folder = slash.map { $0 == 0 ? [UInt8]("/") : Array(path[..<$0]) } ?? [UInt8](".")
    let name = Array(path[(slash.map { $0 + 1 } ?? 0)...])
    do throws(Errno) {
      let directory = try PosixDirectory.open(folder, confined: false)
      finish(.success(try Socket.connect(in: directory, name: name)))
    } catch {
      var text = [UInt8]("cannot reach the daemon: ")
      text.append(error == .connectionRefused ? "it is not running" : error.name)
      text.append("; name its control socket, or the folder that it serves, with --control")
      finish(
        .failure(
          ClientError(.cannotConnect, path: path, text: text, isResumable: false, cause: .system(error))))
    }
  }

  private func resolve(_ host: [UInt8], _ port: UInt16) {
    do throws(UVError) {
      timer = try Timer(loop)
      resolver = try Resolver.resolve(host: host, port: port, loop: loop) { result in
        self.resolver = nil
        switch result {
        case .success(let addresses):
          self.addresses = addresses
          self.tryNext()
        case .failure(let error):
          var text = [UInt8]("cannot find the host ")
          text.append(contentsOf: host)
          text.append(": ")
          error.describe(into: &text)
          if error == .noName { text.append("; check the name in the address") }
          self.fail(text, isResumable: error != .noName, error == .noName ? .unknownHost : .unspecified)
        }
      }
    } catch {
      var text = [UInt8]("cannot look up the host ")
      text.append(contentsOf: host)
      text.append(": ")
      error.describe(into: &text)
      fail(text, isResumable: error != .invalid)
    }
  }

  package func cancel() {
    completion = nil
    _ = resolver?.cancel()
    dropSocket()
    timer?.close()
    timer = nil
  }

  private func tryNext() {
    while completion != nil {
      guard !addresses.isEmpty else {
        var text = [UInt8]("cannot connect to ")
        text.append(place)
        text.append(": ")
        text.append(lastError)
        return fail(text, lastCause)
      }
      let next = addresses.removeFirst()
      guard let address = SocketAddress(bytes: next.bytes, port: next.port, scope: next.scope)
      else { continue }
      do throws(Errno) {
        socket = try Socket.connect(to: address)
      } catch {
        note(error)
        continue
      }
      guard let socket else { continue }
      do throws(UVError) {
        let watcher = try SocketWatcher(loop, descriptor: socket.descriptor)
        self.watcher = watcher
        watcher.onEvents = { _ in self.didConnect() }
        watcher.watch(.writable)
      } catch {
        lastError = "cannot watch the socket"
        dropSocket()
        continue
      }
      timer?.start(after: Self.timeoutMilliseconds) {
        self.lastError = "no answer"
        self.lastCause = .system(.timedOut)
        self.dropSocket()
        self.tryNext()
      }
      return
    }
  }

  private func didConnect() {
    guard let socket else { return }
    if let error = socket.connectError() {
      note(error)
      dropSocket()
      return tryNext()
    }
    // The watcher must be gone before somebody else watches the same descriptor.
    self.socket = nil
    watcher?.close { self.finish(.success(socket)) }
    watcher = nil
    timer?.close()
    timer = nil
  }

  private func note(_ error: Errno) {
    lastError = error.name
    lastCause = .system(error)
  }

  private func dropSocket() {
    guard let socket else { return }
    self.socket = nil
    if let watcher { watcher.close { socket.close() } } else { socket.close() }
    watcher = nil
    timer?.stop()
  }

  /// - Parameter isResumable: false when another try would find the same.
  private func fail(_ text: [UInt8], isResumable: Bool = true, _ cause: ClientError.Cause = .unspecified) {
    timer?.close()
    timer = nil
    finish(
      .failure(ClientError(.cannotConnect, path: [], text: text, isResumable: isResumable, cause: cause)))
  }

  private func finish(_ result: Result<Socket, ClientError>) {
    guard let completion else {
      if case .success(let socket) = result { socket.close() }
      return
    }
    self.completion = nil
    completion(result)
  }
}
