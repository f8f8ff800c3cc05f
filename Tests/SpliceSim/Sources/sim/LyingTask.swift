// A client that does not do what it says: it sends other bytes than those it names in its COMMIT.

internal import SpliceBase
internal import SpliceClient
internal import SpliceCore
internal import SpliceWire

/// Offers a version, sends noise of the same size with honest block digests, and commits the version's chain.
final class LyingTask: ClientTask {
  private let remote: [UInt8]
  private let claimed: Version
  private let sentBytes: [UInt8]
  private let onEnd: () -> Void
  private var owner: ClientRun?
  var number: UInt64 = 0
  private(set) var stream: UInt64 = 0
  // Without a path in its result, a run does not report the task as a file.
  let result = FileResult(path: [])
  let done: UInt64 = 0
  let isBulk = false
  let isChecking = false
  var patience: Patience? { .forAnAnswer }

  init(_ remote: String, claimed: Version, sent: [UInt8], onEnd: @escaping () -> Void) {
    self.remote = [UInt8](remote.utf8)
    self.claimed = claimed
    sentBytes = sent
    self.onEnd = onEnd
  }

  func start(_ run: ClientRun) {
    owner = run
    stream = run.makeStream(for: self)
    let offer = Offer(
      policy: .replace, mode: 0o644, size: UInt64(claimed.size), modified: claimed.modified,
      upload: UploadID(bytes: [UInt8](repeating: 0x77, count: UploadID.byteCount)), fence: run.makeFence(),
      path: remote)
    run.send { offer.append(to: &$0, stream: stream) }
    run.flushSoon()
  }

  func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    switch header.type {
    case .have: lie()
    case .committed: end()
    default: break
    }
  }

  private func lie() {
    let geometry = BlockGeometry(fileSize: UInt64(claimed.size))
    let empty = PrefixProof.empty(geometry)
    owner?.send { Resume(from: 0, proof: empty.digest).append(to: &$0, stream: stream) }
    for (start, end, digest) in blocks(of: sentBytes, geometry) {
      let prefix = DataPrefix(stream: stream, offset: UInt64(start), count: end - start, blockDigest: digest)
      owner?.send {
        prefix.append(to: &$0)
        $0.append(contentsOf: sentBytes[start..<end])
      }
    }
    var chain = PrefixChain(geometry)
    var tail: Digest?
    for (start, end, digest) in blocks(of: claimed.bytes, geometry) {
      if end - start == Int(geometry.blockSize) { chain.append(digest) } else { tail = digest }
    }
    let proof = chain.proof(bytes: UInt64(claimed.size), tail: tail)
    owner?.send { Commit(size: proof.bytes, proof: proof.digest).append(to: &$0, stream: stream) }
    owner?.flushSoon()
  }

  private func blocks(of bytes: [UInt8], _ geometry: BlockGeometry) -> [(Int, Int, Digest)] {
    stride(from: 0, to: bytes.count, by: Int(geometry.blockSize)).map { start in
      let end = min(start + Int(geometry.blockSize), bytes.count)
      return (start, end, BlockHasher.digest(of: Array(bytes[start..<end])))
    }
  }

  func handle(_ error: ErrorMessage) { end() }

  func detach() { owner?.didDetach(self) }

  private func end() {
    onEnd()
    owner?.finish(self)
  }
}
