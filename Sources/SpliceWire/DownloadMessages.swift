// The messages of a download: WANT, GIVE, END.

package import SpliceBase

/// C→S: a file that the client wants, and what it holds of it.
/// 
/// With the flag `start` the server sends at once when it can prove the prefix.
package struct Want: Message, Sendable {
  package static let type = FrameType.want

  /// Bytes that the client holds.
  package var held: UInt64
  /// Names those bytes.
  package var proof: Digest
  package var path: [UInt8]

  package init(held: UInt64, proof: Digest, path: [UInt8]) {
    self.held = held
    self.proof = proof
    self.path = path
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: held)
    proof.append(to: &output)
    output.append(lengthPrefixed: path)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    do throws(Truncated) {
      held = try reader.integer()
      proof = try reader.digest()
      path = try reader.lengthPrefixed()
    } catch { throw .truncated }
  }
}

/// S→C: the file as the server has it open now.
package struct Give: Message, Sendable {
  package static let type = FrameType.give

  /// True: the client's prefix is a prefix of this file. With `start`, DATA follows from there.
  package var proved: Bool
  package var mode: UInt32
  package var size: UInt64
  package var modified: Timestamp
  package var blockSize: UInt64
  package var version: UInt64

  package init(
    proved: Bool, mode: UInt32, size: UInt64, modified: Timestamp, blockSize: UInt64, version: UInt64
  ) {
    self.proved = proved
    self.mode = mode
    self.size = size
    self.modified = modified
    self.blockSize = blockSize
    self.version = version
  }

  package func appendBody(to output: inout [UInt8]) {
    output.append(proved ? 1 : 0)
    output.append(integer: mode)
    output.append(integer: size)
    output.append(modified)
    output.append(integer: blockSize)
    output.append(integer: version)
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    let flag: UInt8
    do throws(Truncated) {
      flag = try reader.integer(UInt8.self)
      proved = flag == 1
      mode = try reader.integer()
      size = try reader.integer()
      modified = try reader.timestamp()
      blockSize = try reader.integer()
      version = try reader.integer()
    } catch { throw .truncated }
    guard flag <= 1, modified.nanoseconds < 1_000_000_000 else { throw .badValue }
  }
}

/// S→C: all bytes are sent; this digest names the whole file.
package struct End: Message, Sendable {
  package static let type = FrameType.end

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
