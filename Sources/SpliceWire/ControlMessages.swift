// SESSIONS, KICK, DRAIN, PARTIALS, RELOAD: for the administrator, over the control socket only.

package import SpliceBase

/// What a session is doing at the moment.
package enum SessionActivity: UInt8, Sendable {
  case invalid = 0
  case idle = 1
  case uploading = 2
  case downloading = 3
  /// Listing, checking, removing.
  case other = 4
}

/// One client as SESSIONS shows it.
package struct SessionEntry: Equatable, Sendable {
  /// Never given to another client of the same daemon.
  package var id: UInt64
  package var activity: SessionActivity = .idle
  package var worker: UInt16 = 0
  /// Requests under way; `activity`, `path`, `done` and `size` are about the oldest.
  package var streams: UInt16 = 0
  /// Since it connected, and since something useful last came or went.
  package var ageMilliseconds: UInt64 = 0
  package var quietMilliseconds: UInt64 = 0
  /// Bytes over the wire, of file contents that matched their digests, of those on stable storage, and sent.
  package var received: UInt64 = 0
  package var verified: UInt64 = 0
  package var durable: UInt64 = 0
  package var sent: UInt64 = 0
  package var done: UInt64 = 0
  package var size: UInt64 = 0
  /// "splice", "qt", …
  package var proto: [UInt8] = []
  package var address: [UInt8] = []
  package var path: [UInt8] = []

  package init(id: UInt64) { self.id = id }

  /// Bytes that it takes in a SESSIONS answer.
  package var encodedCount: Int { 8 + 1 + 2 + 2 + 8 * 8 + 3 * 2 + proto.count + address.count + path.count }

  fileprivate func append(to output: inout [UInt8]) {
    output.append(integer: id)
    output.append(activity.rawValue)
    output.append(integer: worker)
    output.append(integer: streams)
    for value in [ageMilliseconds, quietMilliseconds, received, verified, durable, sent, done, size] {
      output.append(integer: value)
    }
    output.append(lengthPrefixed: proto)
    output.append(lengthPrefixed: address)
    output.append(lengthPrefixed: path)
  }

  fileprivate init(_ reader: inout ByteReader) throws(Truncated) {
    id = try reader.integer()
    activity = SessionActivity(rawValue: try reader.integer()) ?? .invalid
    worker = try reader.integer()
    streams = try reader.integer()
    ageMilliseconds = try reader.integer()
    quietMilliseconds = try reader.integer()
    received = try reader.integer()
    verified = try reader.integer()
    durable = try reader.integer()
    sent = try reader.integer()
    done = try reader.integer()
    size = try reader.integer()
    proto = try reader.lengthPrefixed()
    address = try reader.lengthPrefixed()
    path = try reader.lengthPrefixed()
  }
}

/// A part of the clients, by rising id. The last part has no flag `more`.
package struct SessionList: Message, Sendable {
  package static let type = FrameType.sessions
  package var entries: [SessionEntry]

  package init(entries: [SessionEntry]) { self.entries = entries }

  package func appendBody(to output: inout [UInt8]) {
    for entry in entries { entry.append(to: &output) }
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    entries = []
    do throws(Truncated) {
      while reader.remaining > 0 { entries.append(try SessionEntry(&reader)) }
    } catch { throw .truncated }
    for entry in entries where entry.activity == .invalid { throw .badValue }
  }
}

/// Disconnects one client.
package struct Kick: Message, Sendable {
  package static let type = FrameType.kick
  package var id: UInt64

  package init(id: UInt64) { self.id = id }

  package func appendBody(to output: inout [UInt8]) { output.append(integer: id) }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) { id = try reader.integer() } catch { throw .truncated }
  }
}

/// The answer to DRAIN.
package struct DrainState: Message, Sendable {
  package static let type = FrameType.drain
  /// Transfers that are waited for.
  package var transfers: UInt32
  /// They are not waited for any more: what they have is made durable, then the daemon ends.
  package var isEnding: Bool

  package init(transfers: UInt32, isEnding: Bool) {
    self.transfers = transfers
    self.isEnding = isEnding
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: transfers)
    output.append(isEnding ? 1 : 0 as UInt8)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    let flag: UInt8
    do throws(Truncated) {
      transfers = try reader.integer()
      flag = try reader.integer()
    } catch { throw .truncated }
    guard flag <= 1 else { throw .badValue }
    isEnding = flag == 1
  }
}

/// An unfinished upload as PARTIALS shows it.
package struct PartialEntry: Equatable, Sendable {
  package var path: [UInt8]
  package var size: UInt64
  package var received: UInt64
  /// Since its last byte came.
  package var ageSeconds: UInt64
  /// Who began it: an address, or empty when nobody wrote that down.
  package var origin: [UInt8]
  /// Somebody is sending it now.
  package var isActive: Bool

  package init(
    path: [UInt8], size: UInt64, received: UInt64, ageSeconds: UInt64, origin: [UInt8], isActive: Bool
  ) {
    self.path = path
    self.size = size
    self.received = received
    self.ageSeconds = ageSeconds
    self.origin = origin
    self.isActive = isActive
  }

  /// Bytes that it takes in a PARTIALS answer.
  package var encodedCount: Int { 3 * 8 + 1 + 2 * 2 + path.count + origin.count }

  fileprivate func append(to output: inout [UInt8]) {
    output.append(integer: size)
    output.append(integer: received)
    output.append(integer: ageSeconds)
    output.append(isActive ? 1 : 0 as UInt8)
    output.append(lengthPrefixed: path)
    output.append(lengthPrefixed: origin)
  }
}

/// A part of the unfinished uploads, in no order. The last part has no flag `more`.
package struct PartialList: Message, Sendable {
  package static let type = FrameType.partials
  package var entries: [PartialEntry]

  package init(entries: [PartialEntry]) { self.entries = entries }

  package func appendBody(to output: inout [UInt8]) {
    for entry in entries { entry.append(to: &output) }
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    entries = []
    var flags: UInt8 = 0
    do throws(Truncated) {
      while reader.remaining > 0 {
        let size: UInt64 = try reader.integer()
        let received: UInt64 = try reader.integer()
        let age: UInt64 = try reader.integer()
        let flag: UInt8 = try reader.integer()
        flags |= flag
        entries.append(
          PartialEntry(
            path: try reader.lengthPrefixed(), size: size, received: received, ageSeconds: age,
            origin: try reader.lengthPrefixed(), isActive: flag != 0))
      }
    } catch { throw .truncated }
    guard flags <= 1 else { throw .badValue }
  }
}

/// The answer to RELOAD: what a person should know, in one line.
package struct ReloadNote: Message, Sendable {
  package static let type = FrameType.reload
  package var text: [UInt8]

  package init(text: [UInt8]) { self.text = text }

  package func appendBody(to output: inout [UInt8]) { output.append(lengthPrefixed: text) }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) { text = try reader.lengthPrefixed() } catch { throw .truncated }
  }
}
