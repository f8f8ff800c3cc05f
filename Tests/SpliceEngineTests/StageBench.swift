// Stages in a folder of their own, filled with bytes that a test can name.

import SpliceBase
import SpliceCore
import SpliceSystem
import SpliceWire
import TestFiles
import Testing

@testable import SpliceEngine

/// Where stages are tried out.
final class StageBench {
  let folder = TemporaryDirectory()
  let trace = Trace()
  let directory: TracingDirectory
  var boot = Boot(
    id: BootID(bytes: [UInt8](repeating: 1, count: BootID.byteCount)),
    startedAt: Timestamp(seconds: 0, nanoseconds: 0))

  init() throws { directory = TracingDirectory(try folder.open(), trace) }

  /// The machine went down and is up again; what was on the disk was not touched since.
  func reboot() { boot = Boot(id: BootID(bytes: [UInt8](repeating: 2, count: BootID.byteCount)), startedAt: .later) }

  func open(_ name: String, size: Int, modifiedAt seconds: Int64 = 1_000_000, mode: UInt32 = 0o640) throws -> Stage {
    let stage = try begin(name, size: size, modifiedAt: seconds, mode: mode)
    while try !stage.takeUpMore(budget: Limits.blockSize) {}
    return stage
  }

  /// As `open`, but reads nothing yet.
  func begin(_ name: String, size: Int, modifiedAt seconds: Int64 = 1_000_000, mode: UInt32 = 0o640) throws -> Stage {
    try Stage.open(
      Stage.Location(directory: directory, dataName: bytes(name), journalName: bytes(name + ".journal")),
      declared: JournalHeader(
        blockSize: Limits.blockSize, size: UInt64(size), modified: Timestamp(seconds: seconds, nanoseconds: 0),
        mode: mode, path: bytes(name)),
      path: bytes(name), boot: boot)
  }

  /// Continues `stage` with `content` from where it is to `end`.
  func fill(_ stage: Stage, _ content: [UInt8], to end: Int? = nil) throws {
    try stage.resume(at: stage.proof)
    try append(stage, content, to: end)
  }

  func append(_ stage: Stage, _ content: [UInt8], to end: Int? = nil) throws {
    let block = Int(Limits.blockSize)
    let end = end ?? content.count
    while Int(stage.received) < end {
      let start = Int(stage.received)
      let blockEnd = min((start / block + 1) * block, content.count)
      #expect(try send(stage, content, start..<min(blockEnd, end)) == .stored)
    }
  }

  /// Hands over a part of one block of `content`, with the block's digest where it ends.
  func send(
    _ stage: Stage, _ content: [UInt8], _ range: Range<Int>, damaged: Bool = false
  ) throws -> Stage.OnAppend {
    let block = Int(Limits.blockSize)
    let start = range.lowerBound / block * block
    let end = min(start + block, content.count)
    let digest = range.upperBound == end ? digest(Array(content[start..<end])) : nil
    var piece = Array(content[range])
    if damaged { piece[piece.count / 2] ^= 1 }
    return try withPieces([piece]) { try stage.append($0, at: UInt64(range.lowerBound), blockDigest: digest) }
  }

  /// What a sender of `content` claims of its first `count` bytes.
  func proof(_ content: [UInt8], _ count: Int? = nil) -> PrefixProof {
    let block = Int(Limits.blockSize)
    let count = count ?? content.count
    var chain = PrefixChain(BlockGeometry(blockSize: Limits.blockSize))
    var at = 0
    while at + block <= count {
      chain.append(digest(Array(content[at..<at + block])))
      at += block
    }
    return chain.proof(bytes: UInt64(count), tail: at < count ? digest(Array(content[at..<count])) : nil)
  }

  func contents(_ name: String) throws -> [UInt8] {
    let file = try directory.openFile(bytes(name), .read, permissions: 0)
    return try file.read(count: Int(try file.status().size), at: 0)
  }

  /// Of all that is there.
  func names() throws -> [String] {
    let reader = try directory.reader()
    var names: [String] = []
    while let entry = try reader.next() { names.append(text(entry.name)) }
    return names.sorted()
  }

  func exists(_ name: String) -> Bool { (try? directory.status(bytes(name), followLinks: false)) != nil }
}

/// "ok writeFailed ok": what came of each file of a group.
func outcomes(_ results: [Result<FileStatus, StoreError>]) -> String {
  results.map { result in
    switch result {
    case .success: "ok"
    case .failure(let error): "\(error.code)"
    }
  }.joined(separator: " ")
}

func digest(_ bytes: [UInt8]) -> Digest { BlockHasher.digest(of: bytes) }

/// Bytes that differ from block to block and from seed to seed.
func pattern(_ count: Int, seed: Int = 0) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
    var state = UInt64(truncatingIfNeeded: seed &* 2 &+ 1)
    for index in 0..<count {
      if index % 8 == 0 { state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407 }
      buffer[index] = UInt8(truncatingIfNeeded: state >> UInt64(index % 8 * 8))
    }
    filled = count
  }
}

extension Timestamp {
  /// After everything that a test writes.
  static let later = Timestamp(seconds: .max, nanoseconds: 0)
}
