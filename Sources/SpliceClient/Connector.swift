// From a host name to a connected socket.

internal import SpliceBase
internal import SpliceEngine
package import SpliceSystem
package import SpliceUV
internal import SpliceWire

/// Resolves a name and tries its addresses in the order given, one at a time. Loop's thread.
package final class Connector {
  private static let timeoutMilliseconds: UInt64 = 10_000

  private let loop: Loop
  private let host: [UInt8]
  private let port: UInt16
  private var completion: ((Result<Socket, ClientError>) -> Void)?
  private var addresses: [ResolvedAddress] = []
  private var socket: Socket?
  private var watcher: SocketWatcher?
  private var timer: Timer?
  private var resolver: Resolver?
  private var lastError: StaticString = "the name has no address"

  /// - Parameter completion: called once, later or at once, unless `cancel` comes first.
  package init(
    _ loop: Loop, host: [UInt8], port: UInt16,
    completion: @escaping (Result<Socket, ClientError>) -> Void
  ) {
    self.loop = loop
    self.host = host
    self.port = port
    self.completion = completion
  }

  package func start() {
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
          text.append(contentsOf: self.host)
          text.append(": ")
          error.describe(into: &text)
          if error == .noName { text.append("; check the name in the address") }
          self.fail(text, isResumable: error != .noName)
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
        text.append(contentsOf: host)
        text.append(":")
        text.append(decimal: UInt64(port))
        text.append(": ")
        text.append(lastError)
        return fail(text)
      }
      let next = addresses.removeFirst()
      guard let address = SocketAddress(bytes: next.bytes, port: next.port, scope: next.scope)
      else { continue }
      do throws(Errno) {
        socket = try Socket.connect(to: address)
      } catch {
        lastError = error.name
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
        self.dropSocket()
        self.tryNext()
      }
      return
    }
  }

  private func didConnect() {
    guard let socket else { return }
    if let error = socket.connectError() {
      lastError = error.name
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

  private func dropSocket() {
    guard let socket else { return }
    self.socket = nil
    if let watcher { watcher.close { socket.close() } } else { socket.close() }
    watcher = nil
    timer?.stop()
  }

  /// - Parameter isResumable: false when another try would find the same.
  private func fail(_ text: [UInt8], isResumable: Bool = true) {
    timer?.close()
    timer = nil
    finish(.failure(ClientError(.cannotConnect, path: [], text: text, isResumable: isResumable)))
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
