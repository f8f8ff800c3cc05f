// A TCP socket that never blocks.

internal import CPlatform
internal import SpliceBase

/// What `Socket.receive` found.
package enum Received: Equatable, Sendable {
  /// So many bytes, at least one.
  case bytes(Int)
  /// The peer will send no more.
  case end
  /// Nothing now: wait until the socket is readable.
  case wouldBlock
}

/// A nonblocking TCP socket that is closed on exec and never raises SIGPIPE.
///
/// - Ownership: closes its descriptor in `close`, or when the last reference goes. A watcher of the
///   descriptor must be stopped before either.
/// - Threads: one at a time; one may `receive` while another sends.
package final class Socket {
  /// Only for watching and for `require`d uses; -1 after `close`.
  package private(set) var descriptor: Int32

  private init(descriptor: Int32) { self.descriptor = descriptor }

  deinit { close() }

  /// Closes the connection: bytes already sent still reach the peer, unless `setLinger0` was called.
  package func close() {
    if descriptor < 0 { return }
    csplice_close(descriptor)
    descriptor = -1
  }

  /// Listens with `SO_REUSEADDR`; on an IPv6 address for IPv6 only. Port 0 lets the kernel choose.
  ///
  /// - Parameter backlog: connections that may wait to be accepted; the system has a maximum of its own.
  /// The corresponding C functions are `bind(2)` and `listen(2)`.
  package static func listen(on address: SocketAddress, backlog: Int32) throws(Errno) -> Socket {
    var raw = address.shimAddress
    return Socket(descriptor: try checkedDescriptor(csplice_socket_listen(&raw, backlog)))
  }

  /// Listens at the name `name` in `folder`, for those whom `permissions` let write it.
  ///
  /// - Throws: `.addressInUse` when there is something of that name; a socket that nobody serves stays there
  ///   when its process is killed.
  /// The corresponding C function is `bind(2)`, for `unix(7)`.
  package static func listen(
    in folder: any Directory, name: [UInt8], permissions: UInt32, backlog: Int32
  ) throws(Errno) -> Socket {
    Socket(
      descriptor: try checkedDescriptor(
        csplice_local_listen(folder.descriptor, name, name.count, permissions, backlog)))
  }

  /// Connects to a socket that `listen(in:)` made. The corresponding C function is `connect(2)`.
  ///
  /// - Throws: `.connectionRefused` when nobody serves it any more.
  package static func connect(in folder: any Directory, name: [UInt8]) throws(Errno) -> Socket {
    Socket(descriptor: try checkedDescriptor(csplice_local_connect(folder.descriptor, name, name.count)))
  }

  /// Takes over a TCP socket that a service manager listens on for us.
  ///
  /// - Throws: `.invalid` when the descriptor is something else.
  static func adoptListener(_ descriptor: Int32) throws(Errno) -> Socket {
    Socket(descriptor: try checkedDescriptor(csplice_adopt_listener(descriptor)))
  }

  /// The next waiting connection, or nil when there is none. The corresponding C function is `accept4(2)`.
  ///
  /// - Throws: `.tooManyOpenFiles` and the like, with the connection still waiting: back off.
  package func accept() throws(Errno) -> Socket? {
    let result = csplice_socket_accept(descriptor)
    if isWouldBlock(Int64(result)) { return nil }
    return Socket(descriptor: try checkedDescriptor(result))
  }

  /// Starts a connection; when the socket becomes writable, `connectError` says how it went.
  /// The corresponding C function is `connect(2)`.
  package static func connect(to address: SocketAddress) throws(Errno) -> Socket {
    var raw = address.shimAddress
    return Socket(descriptor: try checkedDescriptor(csplice_socket_connect(&raw)))
  }

  /// Why connecting or a later transmission failed, or nil. Reading it forgets it.
  package func connectError() -> Errno? {
    let result = csplice_socket_error(descriptor)
    return result == 0 ? nil : Errno(rawValue: result < 0 ? -result : result)
  }

  /// Receives at most `into.count` bytes, which must be above 0. The corresponding C function is `recv(2)`.
  package func receive(into: UnsafeMutableRawBufferPointer) throws(Errno) -> Received {
    require(into.count > 0, "receiving into nothing looks like the end of the connection")
    let result = csplice_socket_receive(descriptor, into.baseAddress, into.count)
    if result > 0 { return .bytes(Int(result)) }
    if result == 0 { return .end }
    if isWouldBlock(result) { return .wouldBlock }
    throw Errno(rawValue: Int32(truncatingIfNeeded: -result))
  }

  /// Sends the pieces one after the other, as far as the socket's buffer takes them. No allocation.
  ///
  /// - Parameter more: further bytes follow at once, so a half-filled packet may wait for them.
  /// - Returns: the count of bytes taken, perhaps short and never more than 64 pieces; nil: would block.
  /// The corresponding C function is `sendmsg(2)`.
  package func send(
    _ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, more: Bool
  ) throws(Errno) -> Int? {
    let isCut = pieces.count > pieceCountMax
    let result = withShimPieces(pieces) { (shim: UnsafeMutablePointer<csplice_piece>, count: Int) -> Int64 in
      csplice_socket_send(descriptor, shim, count, more || isCut ? 1 : 0)
    }
    return isWouldBlock(result) ? nil : try checkedCount(result)
  }

  /// Sends from the page cache at most `count` bytes of the file `file` from byte `offset`.
  ///
  /// - Returns: the count of bytes taken, perhaps short; 0: the file ends at `offset`; nil: would block.
  /// The corresponding C function is `sendfile(2)`. Blocks on the disk when the pages are not cached.
  package func sendFile(_ file: Int32, at offset: UInt64, count: Int) throws(Errno) -> Int? {
    let result = csplice_socket_send_file(descriptor, file, offset, count)
    return isWouldBlock(result) ? nil : try checkedCount(result)
  }

  /// Sends small frames at once. The corresponding option is `TCP_NODELAY` of `tcp(7)`.
  package func setNoDelay() throws(Errno) { try check(csplice_socket_no_delay(descriptor)) }

  /// Tells the peer that no more comes; receiving goes on. The corresponding C function is `shutdown(2)`.
  package func shutdownWrite() throws(Errno) { try check(csplice_socket_shutdown_write(descriptor)) }

  /// Makes `close` reset the connection and drop what is unsent. The option is `SO_LINGER` of `socket(7)`.
  package func setLinger0() throws(Errno) { try check(csplice_socket_linger_zero(descriptor)) }

  /// Nil when the socket is in no state to have one. The corresponding C function is `getsockname(2)`.
  package var localAddress: SocketAddress? {
    var raw = csplice_address()
    return csplice_socket_local(descriptor, &raw) < 0 ? nil : SocketAddress(raw)
  }

  /// Nil when not connected. The corresponding C function is `getpeername(2)`.
  package var peerAddress: SocketAddress? {
    var raw = csplice_address()
    return csplice_socket_peer(descriptor, &raw) < 0 ? nil : SocketAddress(raw)
  }

  @inline(__always)
  private func isWouldBlock(_ result: Int64) -> Bool { result == -Int64(Errno.wouldBlock.rawValue) }
}
