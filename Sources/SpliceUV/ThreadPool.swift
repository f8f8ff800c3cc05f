// Blocking work on libuv's threads, by requests that are made once and used again.

internal import CUV
internal import SpliceBase

/// Work for the pool. While it is in flight nobody else touches what `run` uses.
package protocol PoolJob: AnyObject {
  /// On a thread of the pool; may block.
  func run()

  /// On the loop's thread, after `run`, or instead of it when `cancelled`.
  func finish(cancelled: Bool)
}

/// A place in the pool's queue, for one job at a time.
///
/// - Ownership: keeps itself and its job alive while in flight, with one reference each, both given back
///   before `finish`: a job may submit itself, or another, from there. No allocation per submission.
/// - Threads: the loop's.
package final class PoolRequest {
  private let loop: Loop
  private let request: UnsafeMutablePointer<uv_work_t>
  private var job: (any PoolJob)?

  package init(_ loop: Loop) {
    self.loop = loop
    request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
    request.initialize(to: uv_work_t())
  }

  deinit {
    require(job == nil, "a pool request was dropped in flight")
    request.deallocate()
  }

  package var isInFlight: Bool { job != nil }

  /// Queues `job`; the request must not be in flight. The corresponding C function is `uv_queue_work`.
  package func submit(_ job: any PoolJob) {
    require(self.job == nil, "a pool request in flight was submitted again")
    self.job = job
    // LIFETIME: +1 for libuv, given back in workDidFinish.
    request.pointee.data = Unmanaged.passRetained(self).toOpaque()
    let result = uv_queue_work(loop.pointer, request, workDidStart, workDidFinish)
    require(result == 0, "libuv refused work for its pool")
    loop.requestDidSubmit()
  }

  /// Takes the job out of the queue if no thread has begun it; `finish(cancelled: true)` comes either way
  /// later, by the loop.
  ///
  /// - Returns: false when it runs, has run, or nothing is in flight.
  /// The corresponding C function is `uv_cancel`.
  @discardableResult
  package func cancel() -> Bool {
    if job == nil { return false }
    return uv_cancel(UnsafeMutableRawPointer(request).assumingMemoryBound(to: uv_req_t.self)) == 0
  }

  fileprivate func didStart() {
    // Read on a pool thread: submit wrote it before, didFinish writes it after, the queue's lock in between.
    guard let job else { panic("the pool ran a request without a job") }
    job.run()
  }

  fileprivate func didFinish(_ status: Int32) {
    guard let job else { panic("the pool finished a request without a job") }
    self.job = nil
    request.pointee.data = nil
    job.finish(cancelled: status == UV_ECANCELED.rawValue)
    loop.requestDidFinish()
  }
}

private func workDidStart(_ request: UnsafeMutablePointer<uv_work_t>?) {
  withOwner(request?.pointee.data, PoolRequest.self) { $0.didStart() }
}

private func workDidFinish(_ request: UnsafeMutablePointer<uv_work_t>?, _ status: Int32) {
  takeOwner(request?.pointee.data, PoolRequest.self).didFinish(status)
}
