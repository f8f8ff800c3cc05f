// Bytes of a connection, split anywhere, into messages and pieces of file data.

package import SpliceBase

/// What comes before the file bytes of a DATA frame.
package struct DataPrefix: Equatable, Sendable {
  package static let byteCountMax = 8 + Digest.byteCount

  package var stream: UInt64
  /// Where in the file the bytes belong.
  package var offset: UInt64
  /// How many there are, 1 to `Limits.dataPayloadMax`.
  package var count: Int
  /// The digest of the whole block that these bytes end; nil when they end none.
  package var blockDigest: Digest?

  package init(stream: UInt64, offset: UInt64, count: Int, blockDigest: Digest?) {
    self.stream = stream
    self.offset = offset
    self.count = count
    self.blockDigest = blockDigest
  }

  /// Appends the frame header and the fields; the bytes themselves follow on the wire.
  package func append(to output: inout [UInt8]) {
    let fields = 8 + (blockDigest == nil ? 0 : Digest.byteCount)
    FrameHeader(
      .data, flags: blockDigest == nil ? [] : [.endOfBlock], length: UInt32(fields + count), stream: stream
    ).append(to: &output)
    output.append(integer: offset)
    if let blockDigest { blockDigest.append(to: &output) }
  }
}

package enum FrameEvent: Equatable {
  /// All input was used up; call again with more.
  case needMore
  /// A whole message other than DATA.
  case message(FrameHeader, body: [UInt8])
  /// A DATA frame begins; its bytes follow as pieces.
  case dataBegins(DataPrefix)
  /// Bytes of the DATA frame, as a range of the input, so that nothing is copied.
  case dataPiece(Range<Int>, isLast: Bool)
}

/// Finds the messages in the bytes of one connection.
///
/// Holds at most one incomplete message (16 KiB); file bytes are never stored here. After a throw the
/// connection cannot be read any further.
package struct FrameDecoder {
  /// The four bytes that each side sends first. They tell Splice from the other protocols that may
  /// one day share a port.
  package static let magic: [UInt8] = [0x53, 0x50, 0x4C, 0x43]

  private enum State {
    case magic
    case header
    case body(FrameHeader)
    case dataFields(FrameHeader, count: Int)
    case data(remaining: Int)
  }

  private var state = State.magic
  /// The beginning of what `state` waits for.
  private var partial: [UInt8] = []

  package init() {}

  /// True between two messages: nothing is half received.
  package var isBetweenMessages: Bool {
    if case .header = state { return partial.isEmpty }
    return false
  }

  /// Bytes of the present DATA frame that are still to come; nil outside of one.
  package var dataRemaining: Int? {
    if case .data(let remaining) = state { return remaining }
    return nil
  }

  /// Bytes that complete what is begun: a field of a head, a body, the bytes of a DATA frame.
  package var needed: Int {
    switch state {
    case .magic: Self.magic.count - partial.count
    case .header: FrameHeader.byteCount - partial.count
    case .body(let header): Int(header.length) - partial.count
    case .dataFields(_, let count): count - partial.count
    case .data(let remaining): remaining
    }
  }

  /// Takes the next event out of `input`, from `position` on, and moves `position` behind it.
  package mutating func next(
    _ input: UnsafeRawBufferPointer, _ position: inout Int
  ) throws(WireError) -> FrameEvent {
    while true {
      switch state {
      case .magic:
        guard let isMagic = gather(Self.magic.count, input, &position, { $0.elementsEqual(Self.magic) })
        else { return .needMore }
        guard isMagic else { throw .badMagic }
        state = .header
      case .header:
        guard let header = gather(FrameHeader.byteCount, input, &position, FrameHeader.decode)
        else { return .needMore }
        try begin(header.get())
      case .body(let header):
        guard let body = gather(Int(header.length), input, &position, { [UInt8]($0) })
        else { return .needMore }
        state = .header
        return .message(header, body: body)
      case .dataFields(let header, let count):
        guard let prefix = gather(count, input, &position, { DataPrefix(header, fields: $0) })
        else { return .needMore }
        state = .data(remaining: prefix.count)
        return .dataBegins(prefix)
      case .data(let remaining):
        let count = min(remaining, input.count - position)
        if count == 0 { return .needMore }
        let range = position..<position + count
        position += count
        state = count == remaining ? .header : .data(remaining: remaining - count)
        return .dataPiece(range, isLast: count == remaining)
      }
    }
  }

  private mutating func begin(_ header: FrameHeader) throws(WireError) {
    guard header.type == .data else {
      state = .body(header)
      return
    }
    let fieldCount = header.flags.contains(.endOfBlock) ? DataPrefix.byteCountMax : 8
    guard Int(header.length) > fieldCount else { throw .truncated(type: header.type.rawValue) }
    guard Int(header.length) - fieldCount <= Limits.dataPayloadMax else {
      throw .tooLong(type: header.type.rawValue, count: header.length)
    }
    state = .dataFields(header, count: fieldCount)
  }

  /// Decodes `count` bytes where they lie in the input, or from `partial` when they came in
  /// pieces; nil after keeping what there is.
  private mutating func gather<Value>(
    _ count: Int, _ input: UnsafeRawBufferPointer, _ position: inout Int,
    _ decode: (UnsafeRawBufferPointer) -> Value
  ) -> Value? {
    if partial.isEmpty, input.count - position >= count {
      defer { position += count }
      return decode(UnsafeRawBufferPointer(rebasing: input[position..<position + count]))
    }
    let take = min(count - partial.count, input.count - position)
    partial.append(contentsOf: input[position..<position + take])
    position += take
    if partial.count < count { return nil }
    defer {
      // Heads that come in two pieces allocate once a connection; a long message leaves no memory behind.
      if count <= DataPrefix.byteCountMax { partial.removeAll(keepingCapacity: true) } else { partial = [] }
    }
    return partial.withUnsafeBytes(decode)
  }
}

extension FrameHeader {
  fileprivate static func decode(_ bytes: UnsafeRawBufferPointer) -> Result<FrameHeader, WireError> {
    do throws(WireError) { return .success(try FrameHeader(decoding: bytes)) } catch { return .failure(error) }
  }
}

extension DataPrefix {
  /// - Parameter fields: 8 bytes, or 40 with a digest; the header's length was checked against them.
  fileprivate init(_ header: FrameHeader, fields: UnsafeRawBufferPointer) {
    self.init(
      stream: header.stream, offset: UInt64(bigEndian: fields.loadUnaligned(as: UInt64.self)),
      count: Int(header.length) - fields.count,
      blockDigest: fields.count > 8 ? Digest(bytes: fields[8...]) : nil)
  }
}
