// SPDX-License-Identifier: Apache-2.0
// Something that a client can connect to: the daemon itself, or a proxy before it.

/// A port on the IPv4 loopback address.
protocol Endpoint {
  var port: Int { get }
}

extension Endpoint {
  /// The URL of a path at this endpoint; the path's bytes go in as they are.
  func url(_ path: RawString = "") -> RawString { "splice://127.0.0.1:\(port)/\(path)" }
}
