// HELLO: the first message of each side, and what the two agree on.

package import SpliceBase

/// How digests are made. Numbers are part of the protocol.
package enum DigestAlgorithm: UInt8, Sendable {
  /// XXH3 with 128 bits, canonical byte order. Protects against accident, not against a forger.
  case xxh3 = 1

  /// Bytes of a digest that are not padding.
  package var digestCount: Int { 16 }
}

package struct Hello: Message, Sendable {
  package static let type = FrameType.hello
  package static let currentVersion: UInt16 = 1

  /// The client says the highest it speaks; the server answers with the one that will be used.
  package var version: UInt16 = Hello.currentVersion
  /// Bits for extensions; none is defined in version 1. The server answers with those that both know.
  package var features: UInt32 = 0
  /// The client says all it can, best first; the server answers with one.
  package var algorithms: [UInt8] = [DigestAlgorithm.xxh3.rawValue]
  /// Streams that may be open at a time.
  package var streamsMax: UInt16 = UInt16(Limits.streamsPerConnectionMax)
  /// The sender closes a connection on which it heard nothing for so long; 0 = never.
  package var idleSeconds: UInt32 = 0
  /// S→C: the id of this connection in the daemon's log.
  package var session: UInt64 = 0
  /// Program and version, for logs.
  package var agent: [UInt8] = []

  package init() {}

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: version)
    output.append(integer: features)
    output.append(lengthPrefixed: algorithms)
    output.append(integer: streamsMax)
    output.append(integer: idleSeconds)
    output.append(integer: session)
    output.append(lengthPrefixed: agent)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      version = try reader.integer()
      features = try reader.integer()
      algorithms = try reader.lengthPrefixed()
      streamsMax = try reader.integer()
      idleSeconds = try reader.integer()
      session = try reader.integer()
      agent = try reader.lengthPrefixed()
    } catch { throw .truncated }
    guard version > 0, streamsMax > 0 else { throw .badValue }
  }
}
