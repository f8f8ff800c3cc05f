// The functions of splice.h about servers. What each promises stands there.

public import CSplice
internal import SpliceBase
internal import SpliceEngine
internal import SpliceSystem
internal import SpliceWire

@c @implementation
public func splice_server_open(
  _ root: UnsafePointer<CChar>!, _ options: UnsafePointer<splice_server_options>!,
  _ server: UnsafeMutablePointer<OpaquePointer?>!, _ error: UnsafeMutablePointer<splice_error>!
) -> Int32 {
  report(error) { () throws(Failure) in
    guard let root = bytes(root), !root.isEmpty, let server else { throw Failure(.invalidArgument) }
    var set = splice_server_options()
    try read(options, over: &set)
    let configuration = try ServerConfiguration(set)
    let events = set.on_event.map { ServerEvents($0, set.user) }
    server.pointee = makeHandle(
      try ServerHost.open(root: root, configuration, try makeLog(set), observer: events) {
        events?.serverDidStop()
      })
  }
}

@c @implementation
public func splice_server_port(_ server: OpaquePointer!, _ index: Int) -> UInt16 {
  do throws(Failure) {
    let addresses = try object(server, ServerHost.self).addresses
    return addresses.indices.contains(index) ? addresses[index].port : 0
  } catch { return 0 }
}

@c @implementation
public func splice_server_run(_ server: OpaquePointer!, _ error: UnsafeMutablePointer<splice_error>!) -> Int32 {
  report(error) { () throws(Failure) in try object(server, ServerHost.self).run() }
}

@c @implementation
public func splice_server_start(_ server: OpaquePointer!, _ error: UnsafeMutablePointer<splice_error>!) -> Int32 {
  report(error) { () throws(Failure) in try object(server, ServerHost.self).start() }
}

@c @implementation
public func splice_server_stop(_ server: OpaquePointer!) -> Int32 {
  report(nil) { () throws(Failure) in try object(server, ServerHost.self).stop() }
}

@c @implementation
public func splice_server_wait(_ server: OpaquePointer!) -> Int32 {
  report(nil) { () throws(Failure) in try object(server, ServerHost.self).wait() }
}

@c @implementation
public func splice_server_free(_ server: OpaquePointer!) -> Int32 {
  guard server != nil else { return 0 }
  return report(nil) { () throws(Failure) in
    try object(server, ServerHost.self).close()
    releaseHandle(server, ServerHost.self)
  }
}

@c @implementation
public func splice_server_set_clients_max(_ server: OpaquePointer!, _ clients_max: UInt32) -> Int32 {
  report(nil) { () throws(Failure) in
    guard clients_max > 0 else { throw Failure(.invalidArgument) }
    try object(server, ServerHost.self).limit(connectionsMax: Int(clients_max))
  }
}

@c @implementation
public func splice_server_disconnect(
  _ server: OpaquePointer!, _ client: UInt64,
  _ done: (@convention(c) (UnsafeMutableRawPointer?, Int32) -> Void)!, _ user: UnsafeMutableRawPointer!
) -> Int32 {
  report(nil) { () throws(Failure) in
    try object(server, ServerHost.self).kick(client) { wasThere in
      done?(user, wasThere ? 0 : FailureCode(.notFound).rawValue)
    }
  }
}

@c @implementation
public func splice_server_list(
  _ server: OpaquePointer!,
  _ each: (@convention(c) (UnsafeMutableRawPointer?, UnsafePointer<splice_client_info>?) -> Void)!,
  _ user: UnsafeMutableRawPointer!
) -> Int32 {
  report(nil) { () throws(Failure) in
    guard let each else { throw Failure(.invalidArgument) }
    try object(server, ServerHost.self).listSessions { sessions in
      for session in sessions {
        withText(session.address) { address in
          withText(session.path) { path in
            var info = splice_client_info(session)
            info.address = address
            info.path = path
            each(user, &info)
          }
        }
      }
      each(user, nil)
    }
  }
}

extension splice_client_info {
  /// All but the strings.
  fileprivate init(_ session: SessionEntry) {
    self.init()
    size = MemoryLayout<splice_client_info>.size
    client = session.id
    activity =
      switch session.activity {
      case .idle, .invalid: SPLICE_IDLE
      case .uploading: SPLICE_UPLOADING
      case .downloading: SPLICE_DOWNLOADING
      case .other: SPLICE_ASKING
      }
    requests = UInt32(session.streams)
    done = session.done
    total = session.size
    age_milliseconds = session.ageMilliseconds
    quiet_milliseconds = session.quietMilliseconds
    received_bytes = session.received
    sent_bytes = session.sent
    verified_bytes = session.verified
    durable_bytes = session.durable
  }
}

extension ServerConfiguration {
  /// - Throws: `invalidArgument`, naming the field, for what is out of its range.
  fileprivate init(_ options: splice_server_options) throws(Failure) {
    self.init()
    if let texts = options.listen {
      guard (1...64).contains(options.listen_count) else { throw Failure(invalid: "listen_count") }
      for index in 0..<options.listen_count {
        let text = bytes(texts[index]) ?? []
        guard let address = SocketAddress.parse(text) else {
          throw Failure(.badAddress, text + [UInt8](": ") + [UInt8](FailureCode.badAddress.sentence))
        }
        listen.append(address)
      }
    } else if options.listen_count == 0 {
      listen = [.usual]
    } else {
      throw Failure(invalid: "listen")
    }
    if options.workers > 0 { workers = Int(options.workers) }
    guard workers <= 64 else { throw Failure(invalid: "workers") }
    if options.clients_max > 0 { connectionsMax = Int(options.clients_max) }
    perAddressMax = Int(options.clients_per_address_max)
    transfersMax = Int(options.transfers_max)
    if options.memory_bytes > 0 { memory = Int(clamping: options.memory_bytes) }
    guard memory >= 1 << 20, memory <= 1 << 40 else { throw Failure(invalid: "memory_bytes") }
    if options.checkpoint_bytes > 0 { checkpointBytes = options.checkpoint_bytes }
    guard checkpointBytes >= 1 << 20 else { throw Failure(invalid: "checkpoint_bytes") }
    if options.checkpoint_milliseconds > 0 { checkpointMilliseconds = UInt64(options.checkpoint_milliseconds) }
    guard checkpointMilliseconds >= 1000 else { throw Failure(invalid: "checkpoint_milliseconds") }
    if options.idle_milliseconds > 0 { idleMilliseconds = UInt64(options.idle_milliseconds) }
    if options.idle_milliseconds == -1 { idleMilliseconds = 0 }
    guard options.idle_milliseconds >= -1 else { throw Failure(invalid: "idle_milliseconds") }
    guard options.rate == 0 || options.rate >= Limits.rateMin else { throw Failure(invalid: "rate") }
    rate = options.rate
    guard options.client_rate == 0 || options.client_rate >= Limits.rateMin else {
      throw Failure(invalid: "client_rate")
    }
    sessionRate = options.client_rate
    freeSpaceMin = options.free_bytes_min
    if options.partial_expiry_seconds > 0 { partialExpirySeconds = options.partial_expiry_seconds }
    isReadOnly = options.read_only != 0
  }
}

extension Failure {
  init(invalid field: StaticString) { self.init(.invalidArgument, [UInt8](field) + [UInt8](" is out of its range")) }
}

private func makeLog(_ options: splice_server_options) throws(Failure) -> Log {
  let number = options.log_level.rawValue
  guard number == 0 || (3...7).contains(number) else { throw Failure(invalid: "log_level") }
  let level = LogLevel(rawValue: UInt8(number)) ?? .notice
  guard let onLog = options.on_log else { return Log(threshold: .error) { _, _ in } }
  let user = Handed(options.user)
  return Log(threshold: level) { level, line in
    withText(line) { onLog(user.pointer, splice_log_level(rawValue: UInt32(level.rawValue)), $0) }
  }
}

/// What the caller gave us to give back; the caller knows from which threads.
private struct Handed: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer?

  init(_ pointer: UnsafeMutableRawPointer?) { self.pointer = pointer }
}
