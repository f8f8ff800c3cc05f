// The functions of splice.h about transfers. What each promises stands there.

public import CSplice
internal import SpliceBase
internal import SpliceClient
internal import SpliceEngine
internal import SpliceWire

@c @implementation
public func splice_put(
  _ url: UnsafePointer<CChar>!, _ files: UnsafePointer<splice_file>!, _ count: Int,
  _ options: UnsafePointer<splice_transfer_options>!, _ transfer: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<splice_error>!
) -> Int32 {
  make(.put, url, files, count, options, transfer, error)
}

@c @implementation
public func splice_get(
  _ url: UnsafePointer<CChar>!, _ files: UnsafePointer<splice_file>!, _ count: Int,
  _ options: UnsafePointer<splice_transfer_options>!, _ transfer: UnsafeMutablePointer<OpaquePointer?>!,
  _ error: UnsafeMutablePointer<splice_error>!
) -> Int32 {
  make(.get, url, files, count, options, transfer, error)
}

private func make(
  _ direction: TransferPlan.Direction, _ url: UnsafePointer<CChar>?, _ files: UnsafePointer<splice_file>?,
  _ count: Int, _ options: UnsafePointer<splice_transfer_options>?,
  _ transfer: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<splice_error>?
) -> Int32 {
  report(error) { () throws(Failure) in
    guard let url = bytes(url), let files, count > 0, let transfer else { throw Failure(.invalidArgument) }
    var set = splice_transfer_options()
    try read(options, over: &set)
    var plan = TransferPlan(direction, url: url, files: [])
    for index in 0..<count {
      guard let local = bytes(files[index].local) else { throw Failure(invalid: "local") }
      plan.files.append(TransferPlan.File(local: local, remote: bytes(files[index].remote) ?? []))
    }
    try plan.set(set)
    let events = TransferEvents(set)
    transfer.pointee = makeHandle(try TransferHost.make(plan, observer: events) { events.transferDidEnd($0) })
  }
}

extension TransferPlan {
  fileprivate mutating func set(_ options: splice_transfer_options) throws(Failure) {
    guard options.retry_seconds >= -1 else { throw Failure(invalid: "retry_seconds") }
    if options.retry_seconds != 0 { retrySeconds = UInt64(max(0, options.retry_seconds)) }
    guard options.rate == 0 || options.rate >= Limits.rateMin else { throw Failure(invalid: "rate") }
    bytesPerSecond = options.rate
    isRecursive = options.recursive != 0
    switch options.existing {
    case SPLICE_REPLACE: policy = .replace
    case SPLICE_KEEP: policy = .ifAbsent
    case SPLICE_REFUSE: policy = .create
    default: throw Failure(invalid: "existing")
    }
    cacheFolder = bytes(options.cache)
  }
}

@c @implementation
public func splice_transfer_run(
  _ transfer: OpaquePointer!, _ error: UnsafeMutablePointer<splice_error>!
) -> Int32 {
  report(error) { () throws(Failure) in try object(transfer, TransferHost.self).run() }
}

@c @implementation
public func splice_transfer_start(
  _ transfer: OpaquePointer!, _ error: UnsafeMutablePointer<splice_error>!
) -> Int32 {
  report(error) { () throws(Failure) in try object(transfer, TransferHost.self).start() }
}

@c @implementation
public func splice_transfer_wait(
  _ transfer: OpaquePointer!, _ error: UnsafeMutablePointer<splice_error>!
) -> Int32 {
  report(error) { () throws(Failure) in try object(transfer, TransferHost.self).wait() }
}

@c @implementation
public func splice_transfer_cancel(_ transfer: OpaquePointer!) -> Int32 {
  report(nil) { () throws(Failure) in try object(transfer, TransferHost.self).cancel() }
}

@c @implementation
public func splice_transfer_free(_ transfer: OpaquePointer!) -> Int32 {
  guard transfer != nil else { return 0 }
  return report(nil) { () throws(Failure) in
    try object(transfer, TransferHost.self).close()
    releaseHandle(transfer, TransferHost.self)
  }
}
