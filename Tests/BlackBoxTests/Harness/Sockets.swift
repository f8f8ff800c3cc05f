// SPDX-License-Identifier: Apache-2.0
// The few socket calls of the harness: IPv4 loopback, close-on-exec, ports that the kernel picks.

import Glibc

/// Makes, binds and connects sockets on 127.0.0.1.
enum Sockets {
  /// A bound socket on a free port. Without `listen`, its port refuses connections and stays reserved.
  static func bound() throws -> (descriptor: Int32, port: Int) {
    let descriptor = try open()
    try withLoopback(port: 0) { try checked(bind(descriptor, $0, $1), "bind", on: "a loopback port") }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = try withUnsafeMutablePointer(to: &address) {
      try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try checked(getsockname(descriptor, $0, &length), "getsockname", on: "a loopback port")
      }
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// A connected socket, or a `Failure`.
  static func connected(to port: Int) throws -> Int32 {
    let descriptor = try open()
    do {
      try withLoopback(port: port) { try checked(connect(descriptor, $0, $1), "connect", on: "port \(port)") }
    } catch {
      close(descriptor)
      throw error
    }
    return descriptor
  }

  static func set(_ option: Int32, _ value: Int32, level: Int32 = SOL_SOCKET, on descriptor: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Closes with a reset: the peer sees a connection that died, not one that ended.
  static func reset(_ descriptor: Int32) {
    var setting = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &setting, socklen_t(MemoryLayout<linger>.size))
    close(descriptor)
  }

  /// True where this machine has the IPv6 loopback address.
  static let hasIPv6Loopback: Bool = {
    let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_addr = in6addr_loopback
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
      }
    }
  }()

  private static func open() throws -> Int32 {
    try checked(socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0), "socket", on: "loopback")
  }

  @discardableResult
  private static func withLoopback<Result>(
    port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Result
  ) rethrows -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    address.sin_port = UInt16(port).bigEndian
    return try withUnsafePointer(to: &address) {
      try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
