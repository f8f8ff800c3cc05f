// Who is writing which path, so that two writers never meet in one stage.

package import SpliceBase
internal import SpliceSystem
internal import SpliceUV
package import SpliceWire

/// One stream of one connection, anywhere in the daemon.
package struct StreamAddress: Equatable, Sendable {
  package let worker: Int
  package let session: UInt64
  package let stream: UInt64

  package init(worker: Int, session: UInt64, stream: UInt64) {
    self.worker = worker
    self.session = session
    self.stream = stream
  }
}

/// The leases of all paths being written or removed. Any thread.
package final class LeaseTable: @unchecked Sendable {
  package enum OnAcquire: Equatable {
    case granted
    /// Somebody else holds it: an address, or nothing.
    case locked(holder: [UInt8], received: UInt64, quietMilliseconds: UInt64)
    /// An older try of the same upload holds it and is at work; it may soon be quiet, or gone.
    case tooSoon(holder: [UInt8])
    /// An older try of the same upload holds it. It has to be told to stop; the caller is woken when it has.
    /// A try that was waiting already, if there was one, does not wait any more and has to be told so, too.
    case waiting(for: StreamAddress, replacing: StreamAddress?)
    /// A newer try of the same upload holds it or waits for it.
    case superseded
  }

  private struct Lease {
    var holder: StreamAddress
    /// For people.
    var name: [UInt8]
    var upload: UploadID?
    var fence: UInt64
    var stageID: [UInt8]
    var received: UInt64
    var lastActivity: Instant
    var waiter: (address: StreamAddress, fence: UInt64)?
  }

  private let mutex = Mutex()
  private var leases: [[UInt8]: Lease] = [:]

  package init() {}

  /// - Parameters:
  ///   - upload: nil for a writer that never comes back (REMOVE).
  ///   - fence: rises with every try of the same upload.
  ///   - name: of the caller, for those who are told that it holds the path.
  ///   - quietMin: an older try is taken over when it has sent nothing for so many milliseconds.
  package func acquire(
    _ path: WirePath, for address: StreamAddress, name: [UInt8] = [], upload: UploadID?, fence: UInt64,
    quietMin: UInt64 = 0, now: Instant
  ) -> OnAcquire {
    mutex.withLock {
      guard var lease = leases[path.bytes] else {
        leases[path.bytes] = Lease(
          holder: address, name: name, upload: upload, fence: fence, stageID: Store.stageID(path), received: 0,
          lastActivity: now, waiter: nil)
        return .granted
      }
      let quiet = now.milliseconds(since: lease.lastActivity)
      guard let upload, lease.upload == upload else {
        return .locked(holder: lease.name, received: lease.received, quietMilliseconds: quiet)
      }
      guard quiet >= quietMin else { return .tooSoon(holder: lease.name) }
      guard fence > lease.fence, fence > lease.waiter?.fence ?? 0 else { return .superseded }
      let replaced = lease.waiter?.address
      lease.waiter = (address, fence)
      leases[path.bytes] = lease
      return .waiting(for: lease.holder, replacing: replaced)
    }
  }

  /// Notes how far the holder is, for those who ask.
  package func note(_ path: WirePath, holder: StreamAddress, received: UInt64, now: Instant) {
    mutex.withLock {
      guard var lease = leases[path.bytes], lease.holder == holder else { return }
      lease.received = received
      lease.lastActivity = now
      leases[path.bytes] = lease
    }
  }

  /// Gives the lease back, or withdraws a wait for it. Returns who was waiting and may try again.
  package func release(_ path: WirePath, by address: StreamAddress) -> StreamAddress? {
    mutex.withLock {
      guard var lease = leases[path.bytes] else { return nil }
      if lease.holder == address {
        leases[path.bytes] = nil
        return lease.waiter?.address
      }
      if lease.waiter?.address == address {
        lease.waiter = nil
        leases[path.bytes] = lease
      }
      return nil
    }
  }

  /// True while somebody may be writing the stage with this id.
  package func isStageHeld(_ id: [UInt8]) -> Bool {
    mutex.withLock { leases.values.contains { $0.stageID == id } }
  }
}
