// The service manager that may have started this process: its sockets, and what it wants to hear.

internal import CPlatform
internal import SpliceBase

/// systemd's side of a daemon, without its library; nothing happens under another parent.
///
/// See sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3). All of it is environment variables and
/// datagrams of text, so other service managers speak it too.
package final class ServiceManager {
  /// Connected at the start, because a confined process may not reach it later; -1: nobody listens.
  private let descriptor: Int32

  /// Looks for `NOTIFY_SOCKET`.
  ///
  /// - Throws: when there is one and it cannot be reached.
  package init() throws(Errno) {
    guard let path = Process.environment("NOTIFY_SOCKET"), !path.isEmpty else {
      descriptor = -1
      return
    }
    descriptor = try checkedDescriptor(csplice_connect_datagram(path, path.count))
  }

  deinit { if descriptor >= 0 { csplice_close(descriptor) } }

  /// What the manager is told, one assignment a line.
  package enum State {
    case ready
    case stopping
    case alive

    fileprivate var text: StaticString {
      switch self {
      case .ready: "READY=1\n"
      case .stopping: "STOPPING=1\n"
      case .alive: "WATCHDOG=1\n"
      }
    }
  }

  /// Never blocks; a manager that does not read misses it.
  package func notify(_ state: State) {
    guard descriptor >= 0 else { return }
    let text = [UInt8](state.text)
    _ = csplice_send_datagram(descriptor, text, text.count)
  }

  /// How often the manager wants `.alive`: half the time after which it would take us for hung; nil: never.
  package static func aliveMilliseconds() -> UInt64? {
    guard isMeant("WATCHDOG_PID", whenUnset: true), let text = Process.environment("WATCHDOG_USEC"),
      let microseconds = parseDecimal(text), microseconds > 0
    else { return nil }
    return max(1, microseconds / 2000)
  }

  /// The listening TCP sockets that the manager opened for this process, in its order.
  ///
  /// - Throws: `.invalid` when one of them is something else.
  package static func sockets() throws(Errno) -> [Socket] {
    guard isMeant("LISTEN_PID", whenUnset: false), let text = Process.environment("LISTEN_FDS"),
      let count = parseDecimal(text)
    else { return [] }
    guard count <= socketCountMax else { throw .invalid }
    var sockets: [Socket] = []
    for index in 0..<Int32(count) { sockets.append(try Socket.adoptListener(firstSocket + index)) }
    return sockets
  }

  private static let firstSocket: Int32 = 3
  private static let socketCountMax: UInt64 = 64

  /// The variables of the parent's own manager may have been passed on to us.
  private static func isMeant(_ name: StaticString, whenUnset: Bool) -> Bool {
    guard let text = Process.environment(name) else { return whenUnset }
    return parseDecimal(text) == UInt64(Process.id)
  }
}
