// PROBE and CHAIN: prefix digests of what the server holds, to find where two files part.

package import SpliceBase

/// C→S: which prefixes, each given as a number of whole blocks, at least 1, rising.
package struct Probe: Message, Sendable {
  package static let type = FrameType.probe
  package var blockCounts: [UInt64]

  package init(blockCounts: [UInt64]) { self.blockCounts = blockCounts }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: UInt16(blockCounts.count))
    for count in blockCounts { output.append(integer: count) }
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    blockCounts = []
    var isRising = true
    let count: Int
    do throws(Truncated) {
      count = Int(try reader.integer(UInt16.self))
      for _ in 0..<min(count, Limits.probeMax) {
        let next = try reader.integer(UInt64.self)
        isRising = isRising && next > (blockCounts.last ?? 0)
        blockCounts.append(next)
      }
    } catch { throw .truncated }
    guard count >= 1, count <= Limits.probeMax, isRising else { throw .badValue }
  }
}

/// S→C: the digests asked for, in the same order. Fewer when the server holds fewer blocks.
package struct Chain: Message, Sendable {
  package static let type = FrameType.chain
  package var digests: [Digest]

  package init(digests: [Digest]) { self.digests = digests }

  package func appendBody(to output: inout [UInt8]) {
    output.append(integer: UInt16(digests.count))
    for digest in digests { digest.append(to: &output) }
  }

  package init(fields reader: inout ByteReader) throws(FieldError) {
    digests = []
    let count: Int
    do throws(Truncated) {
      count = Int(try reader.integer(UInt16.self))
      for _ in 0..<min(count, Limits.probeMax) { digests.append(try reader.digest()) }
    } catch { throw .truncated }
    guard count <= Limits.probeMax else { throw .badValue }
  }
}
