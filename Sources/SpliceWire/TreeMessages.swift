// LIST, STAT, REMOVE, VERIFY: what is stored, and taking it away.

package import SpliceBase

package enum EntryKind: UInt8, Sendable {
  case invalid = 0
  case file = 1
  case directory = 2
  /// A device, a socket, a link that leads nowhere: named, never served.
  case other = 3
}

/// C→S: a request about one path. An empty path is the root. LIST, STAT, REMOVE and VERIFY differ in
/// their type only.
package struct PathRequest: Equatable, Sendable {
  package var path: [UInt8]

  package init(path: [UInt8]) { self.path = path }

  package init(body: [UInt8], of type: FrameType) throws(WireError) {
    var reader = ByteReader(body)
    do throws(Truncated) { path = try reader.lengthPrefixed() } catch { throw .truncated(type: type.rawValue) }
    guard reader.remaining == 0 else { throw .trailing(type: type.rawValue) }
  }

  package func append(to output: inout [UInt8], type: FrameType, stream: UInt64) {
    FrameHeader(type, length: UInt32(2 + path.count), stream: stream).append(to: &output)
    output.append(lengthPrefixed: path)
  }
}

package struct ListEntry: Equatable, Sendable {
  package var kind: EntryKind
  package var mode: UInt32
  package var size: UInt64
  package var modified: Timestamp
  package var name: [UInt8]

  package init(kind: EntryKind, mode: UInt32, size: UInt64, modified: Timestamp, name: [UInt8]) {
    self.kind = kind
    self.mode = mode
    self.size = size
    self.modified = modified
    self.name = name
  }

  /// Bytes that this entry takes in a LIST answer.
  package var encodedCount: Int { 1 + 4 + 8 + 12 + 2 + name.count }
}

/// S→C: a part of a directory, in no order. The last part has no flag `more`.
package struct Listing: Message, Sendable {
  package static let type = FrameType.list
  package var entries: [ListEntry]

  package init(entries: [ListEntry]) { self.entries = entries }

  package func appendBody(to output: inout [UInt8]) {
    for entry in entries {
      output.append(entry.kind.rawValue)
      output.append(integer: entry.mode)
      output.append(integer: entry.size)
      output.append(entry.modified)
      output.append(lengthPrefixed: entry.name)
    }
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    entries = []
    do throws(Truncated) {
      while reader.remaining > 0 {
        entries.append(
          ListEntry(
            kind: try EntryKind(rawValue: reader.integer()) ?? .invalid, mode: try reader.integer(),
            size: try reader.integer(), modified: try reader.timestamp(), name: try reader.lengthPrefixed()))
      }
    } catch { throw .truncated }
    for entry in entries {
      guard entry.kind != .invalid, entry.modified.nanoseconds < 1_000_000_000,
        WirePath.isComponent(entry.name)
      else { throw .badValue }
    }
  }
}

/// S→C: what a path is.
package struct Information: Message, Sendable {
  package static let type = FrameType.stat
  package var kind: EntryKind
  package var mode: UInt32
  package var size: UInt64
  package var modified: Timestamp
  package var version: UInt64
  /// Names the whole file; zero when the server has not made it yet (it does so on first need).
  package var proof: Digest
  /// Bytes of an unfinished upload to this path; 0 = there is none.
  package var partialReceived: UInt64

  package init(
    kind: EntryKind, mode: UInt32, size: UInt64, modified: Timestamp, version: UInt64, proof: Digest,
    partialReceived: UInt64
  ) {
    self.kind = kind
    self.mode = mode
    self.size = size
    self.modified = modified
    self.version = version
    self.proof = proof
    self.partialReceived = partialReceived
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(kind.rawValue)
    output.append(integer: mode)
    output.append(integer: size)
    output.append(modified)
    output.append(integer: version)
    proof.append(to: &output)
    output.append(integer: partialReceived)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      kind = try EntryKind(rawValue: reader.integer()) ?? .invalid
      mode = try reader.integer()
      size = try reader.integer()
      modified = try reader.timestamp()
      version = try reader.integer()
      proof = try reader.digest()
      partialReceived = try reader.integer()
    } catch { throw .truncated }
    guard kind != .invalid, modified.nanoseconds < 1_000_000_000 else { throw .badValue }
  }
}

package enum VerifyState: UInt8, Sendable {
  case invalid = 0
  /// Every block is what was recorded when the file was stored.
  case intact = 1
  /// There was no record to compare with; there is one now.
  case recorded = 2
  /// A block differs from its record.
  case damaged = 3
}

/// S→C: the whole file was read again. ACK frames before it say how far the reading is.
package struct Verification: Message, Sendable {
  package static let type = FrameType.verify
  package var state: VerifyState
  package var size: UInt64
  /// Names the file as it was read.
  package var proof: Digest
  /// Where the first damaged block begins; 0 unless `damaged`.
  package var damagedFrom: UInt64

  package init(state: VerifyState, size: UInt64, proof: Digest, damagedFrom: UInt64) {
    self.state = state
    self.size = size
    self.proof = proof
    self.damagedFrom = damagedFrom
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(state.rawValue)
    output.append(integer: size)
    proof.append(to: &output)
    output.append(integer: damagedFrom)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      state = try VerifyState(rawValue: reader.integer()) ?? .invalid
      size = try reader.integer()
      proof = try reader.digest()
      damagedFrom = try reader.integer()
    } catch { throw .truncated }
    guard state != .invalid else { throw .badValue }
  }
}
