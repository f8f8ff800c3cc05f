// Host names to addresses, on the thread pool.

internal import CUV
internal import SpliceBase

/// One address of a host.
package struct ResolvedAddress: Equatable, Sendable {
  /// 4 bytes of IPv4 or 16 of IPv6, in network order.
  package var bytes: [UInt8]
  package var port: UInt16
  /// The interface of a link-local IPv6 address; 0 elsewhere.
  package var scope: UInt32

  package init(bytes: [UInt8], port: UInt16, scope: UInt32) {
    self.bytes = bytes
    self.port = port
    self.scope = scope
  }
}

/// One look-up of a host's addresses.
///
/// - Ownership: keeps itself alive until `completion` was called, exactly once and never from `resolve`.
/// - Threads: the loop's.
package final class Resolver {
  private let loop: Loop
  private let port: UInt16
  private let request: UnsafeMutablePointer<uv_getaddrinfo_t>
  private var completion: ((Result<[ResolvedAddress], UVError>) -> Void)?

  private init(
    _ loop: Loop, port: UInt16, completion: @escaping (Result<[ResolvedAddress], UVError>) -> Void
  ) {
    self.loop = loop
    self.port = port
    self.completion = completion
    request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
    request.initialize(to: uv_getaddrinfo_t())
  }

  deinit {
    require(completion == nil, "a name look-up was dropped in flight")
    request.deallocate()
  }

  /// Looks up `host`, a name or an address, and calls `completion` on the loop's thread.
  ///
  /// The addresses come in the order in which they should be tried, and there is at least one.
  /// - Throws: when nothing was submitted; `completion` is not called then.
  /// The corresponding C function is `uv_getaddrinfo`.
  @discardableResult
  package static func resolve(
    host: [UInt8], port: UInt16, loop: Loop,
    completion: @escaping (Result<[ResolvedAddress], UVError>) -> Void
  ) throws(UVError) -> Resolver {
    let resolver = Resolver(loop, port: port, completion: completion)
    if host.isEmpty || host.contains(0) {
      resolver.completion = nil
      throw .invalid
    }
    var hints = addrinfo()
    hints.ai_socktype = streamSocketType
    let result = withUnsafeTemporaryAllocation(of: CChar.self, capacity: host.count + 1) { text -> Int32 in
      for (index, byte) in host.enumerated() { text[index] = CChar(bitPattern: byte) }
      text[host.count] = 0
      return uv_getaddrinfo(
        loop.pointer, resolver.request, addressesDidArrive, text.baseAddress, nil, &hints)
    }
    if result < 0 {
      resolver.completion = nil
      throw UVError(rawValue: result)
    }
    // LIFETIME: +1 for libuv, given back in addressesDidArrive, which cannot come before the loop runs on.
    resolver.request.pointee.data = Unmanaged.passRetained(resolver).toOpaque()
    loop.requestDidSubmit()
    return resolver
  }

  /// Gives up if no thread has begun; `completion` still comes, with `.canceled`.
  ///
  /// - Returns: false when the look-up already runs or is over.
  /// The corresponding C function is `uv_cancel`.
  @discardableResult
  package func cancel() -> Bool {
    if completion == nil { return false }
    return uv_cancel(UnsafeMutableRawPointer(request).assumingMemoryBound(to: uv_req_t.self)) == 0
  }

  fileprivate func didArrive(_ status: Int32, _ first: UnsafeMutablePointer<addrinfo>?) {
    guard let completion else { panic("a name look-up finished twice") }
    self.completion = nil
    defer { loop.requestDidFinish() }
    var addresses: [ResolvedAddress] = []
    var next = first
    while let entry = next {
      if let address = resolvedAddress(entry.pointee) { addresses.append(address) }
      next = entry.pointee.ai_next
    }
    uv_freeaddrinfo(first)
    if status < 0 {
      completion(.failure(UVError(rawValue: status)))
    } else if addresses.isEmpty {
      completion(.failure(.noName))
    } else {
      completion(.success(addresses))
    }
  }

  private func resolvedAddress(_ entry: addrinfo) -> ResolvedAddress? {
    guard let address = entry.ai_addr else { return nil }
    let raw = UnsafeRawPointer(address)
    switch Int(entry.ai_addrlen) {
    case MemoryLayout<sockaddr_in>.size:
      // SAFETY: the length says that it is a sockaddr_in, the only one of 16 bytes that getaddrinfo gives.
      var four = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
      return withUnsafeBytes(of: &four) { ResolvedAddress(bytes: Array($0), port: port, scope: 0) }
    case MemoryLayout<sockaddr_in6>.size:
      // SAFETY: as above, for a sockaddr_in6 of 28 bytes.
      let six = raw.loadUnaligned(as: sockaddr_in6.self)
      var bytes = six.sin6_addr
      return withUnsafeBytes(of: &bytes) {
        ResolvedAddress(bytes: Array($0), port: port, scope: six.sin6_scope_id)
      }
    default: return nil
    }
  }
}

/// `SOCK_STREAM`, which glibc declares as an enum that Swift imports differently in the two builds.
private let streamSocketType: Int32 = 1

private func addressesDidArrive(
  _ request: UnsafeMutablePointer<uv_getaddrinfo_t>?, _ status: Int32,
  _ first: UnsafeMutablePointer<addrinfo>?
) {
  takeOwner(request?.pointee.data, Resolver.self).didArrive(status, first)
}
