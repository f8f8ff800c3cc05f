// The messages of an upload: OFFER, HAVE, RESUME, ACK, COMMIT, COMMITTED.

package import SpliceBase

/// Names one upload of one source to one destination, the same in every try, so that a client that
/// comes back is known as the same. Made by the client; the server only compares it.
package struct UploadID: Equatable, Sendable {
  package static let byteCount = 16
  package let bytes: [UInt8]

  package init(bytes: [UInt8]) {
    require(bytes.count == Self.byteCount, "an upload id has 16 bytes")
    self.bytes = bytes
  }
}

package enum OfferPolicy: UInt8, Sendable {
  case invalid = 0
  /// Fail when the path exists.
  case create = 1
  /// Replace what is there, once the new file is whole.
  case replace = 2
  /// Leave what is there and call that success.
  case ifAbsent = 3
  /// Make a directory; there are no bytes.
  case directory = 4
}

package enum HaveState: UInt8, Sendable {
  case invalid = 0
  case nothing = 1
  case partial = 2
  /// A finished file of the offered size (or any file, for `ifAbsent`).
  case complete = 3
}

/// C→S: a file that the client wants stored, and what is known of it before its bytes.
package struct Offer: Message, Sendable {
  package static let type = FrameType.offer

  /// What to do when the path exists already.
  package var policy: OfferPolicy
  /// Permission bits, 0 to 0o7777.
  package var mode: UInt32
  /// Of the whole file, in bytes.
  package var size: UInt64
  package var modified: Timestamp
  package var upload: UploadID
  /// Rises with every try; a higher one takes over the session of a lower one with the same id.
  package var fence: UInt64
  package var path: [UInt8]

  package init(
    policy: OfferPolicy, mode: UInt32, size: UInt64, modified: Timestamp, upload: UploadID, fence: UInt64, path: [UInt8]
  ) {
    self.policy = policy
    self.mode = mode
    self.size = size
    self.modified = modified
    self.upload = upload
    self.fence = fence
    self.path = path
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(policy.rawValue)
    output.append(integer: mode)
    output.append(integer: size)
    output.append(modified)
    output.append(contentsOf: upload.bytes)
    output.append(integer: fence)
    output.append(lengthPrefixed: path)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      policy = try OfferPolicy(rawValue: reader.integer(UInt8.self)) ?? .invalid
      mode = try reader.integer()
      size = try reader.integer()
      modified = try reader.timestamp()
      upload = UploadID(bytes: try reader.bytes(UploadID.byteCount))
      fence = try reader.integer()
      path = try reader.lengthPrefixed()
    } catch { throw .truncated }
    guard policy != .invalid, mode <= 0o7777 else { throw .badValue }
    guard modified.nanoseconds < 1_000_000_000 else { throw .badValue }
  }
}

/// S→C: what the server holds of an offered file.
package struct Have: Message, Sendable {
  package static let type = FrameType.have

  package var state: HaveState
  /// Bytes in a block of this transfer.
  package var blockSize: UInt64
  /// How many bytes the server holds.
  package var bytes: UInt64
  /// Names those bytes (see `PrefixChain`).
  package var proof: Digest
  /// Bytes that the server could still store.
  package var freeSpace: UInt64

  package init(state: HaveState, blockSize: UInt64, bytes: UInt64, proof: Digest, freeSpace: UInt64) {
    self.state = state
    self.blockSize = blockSize
    self.bytes = bytes
    self.proof = proof
    self.freeSpace = freeSpace
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(state.rawValue)
    output.append(integer: blockSize)
    output.append(integer: bytes)
    proof.append(to: &output)
    output.append(integer: freeSpace)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      state = try HaveState(rawValue: reader.integer(UInt8.self)) ?? .invalid
      blockSize = try reader.integer()
      bytes = try reader.integer()
      proof = try reader.digest()
      freeSpace = try reader.integer()
    } catch { throw .truncated }
    guard state != .invalid else { throw .badValue }
  }
}

/// C→S: continue from here. Both directions use it: the prefix before `from` is the one that `proof` names.
package struct Resume: Message, Sendable {
  package static let type = FrameType.resume

  package var from: UInt64
  package var proof: Digest

  package init(from: UInt64, proof: Digest) {
    self.from = from
    self.proof = proof
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: from)
    proof.append(to: &output)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      from = try reader.integer()
      proof = try reader.digest()
    } catch { throw .truncated }
  }
}

/// The block that begins at `offset` arrived damaged: send it again, then go on. From the receiver, in both directions.
package struct Repeat: Message, Sendable {
  package static let type = FrameType.repeat

  package var offset: UInt64

  package init(offset: UInt64) { self.offset = offset }

  package func appendBody(to output: inout [UInt8]) { output.append(integer: offset) }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) { offset = try reader.integer() } catch { throw .truncated }
  }
}

/// S→C: how far an upload is. `durable` ≤ `verified` ≤ `received`.
package struct Ack: Message, Sendable {
  package static let type = FrameType.ack

  /// Bytes that reached the server.
  package var received: UInt64
  /// Bytes in blocks whose digests matched.
  package var verified: UInt64
  /// Bytes that a power cut cannot take back.
  package var durable: UInt64

  package init(received: UInt64, verified: UInt64, durable: UInt64) {
    self.received = received
    self.verified = verified
    self.durable = durable
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: received)
    output.append(integer: verified)
    output.append(integer: durable)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      received = try reader.integer()
      verified = try reader.integer()
      durable = try reader.integer()
    } catch { throw .truncated }
  }
}

/// C→S: all bytes are sent; this digest names the whole file.
package struct Commit: Message, Sendable {
  package static let type = FrameType.commit

  package var size: UInt64
  package var proof: Digest

  package init(size: UInt64, proof: Digest) {
    self.size = size
    self.proof = proof
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: size)
    proof.append(to: &output)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      size = try reader.integer()
      proof = try reader.digest()
    } catch { throw .truncated }
  }
}

/// S→C: the durable receipt: data and name are on stable storage and the digest of all of it was checked.
package struct Committed: Message, Sendable {
  package static let type = FrameType.committed

  package var size: UInt64
  package var proof: Digest
  /// Differs when the file is replaced or changed.
  package var version: UInt64

  package init(size: UInt64, proof: Digest, version: UInt64) {
    self.size = size
    self.proof = proof
    self.version = version
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: size)
    proof.append(to: &output)
    output.append(integer: version)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      size = try reader.integer()
      proof = try reader.digest()
      version = try reader.integer()
    } catch { throw .truncated }
  }
}
