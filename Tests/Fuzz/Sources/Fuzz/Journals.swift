// Journals and digest books as they may lie on a disk: true, torn, stale, or somebody's invention.

internal import SpliceBase
internal import SpliceCore
internal import SpliceSystem
internal import SpliceWire

@testable internal import SpliceEngine

extension Target {
  static let journals = Target(
    name: "journals",
    seeds: {
      // The first byte picks what is tried; the rest are decisions.
      (0..<7).flatMap { file in
        [
          [0, UInt8(file), 3, 0, 0, 1, 1, 1, 2], [0, UInt8(file), 0, 0, 0, 0],
          [2, UInt8(file), 1, 1, 1, 0, 9, 9],
        ]
      } + [[1] + [UInt8](repeating: 0x41, count: 60)]
    }
  ) { input in
    var choices = Choices(input)
    let world = World(seed: 1)
    world.overlap = 0
    World.current = world
    let machine = Machine("server", number: 1, world: world)
    machine.disk.makePath("work")
    let process = world.start(machine, "fuzz") {}
    world.act(as: process) {
      switch choices.below(3) {
      case 2: tryBook(&choices, machine)
      case 1: tryStage(&choices, machine, isRaw: true)
      default: tryStage(&choices, machine, isRaw: false)
      }
    }
    check(world.failure == nil, world.failure ?? "")
  }

  private static func put(_ bytes: [UInt8], _ name: String, _ machine: Machine) {
    machine.disk.place(
      bytes, at: "work/" + name, modified: machine.stampNow, stamp: machine.stampNow, inPlace: true)
  }

  // MARK: Stages

  /// Opens whatever is there, uploads the rest, and commits: a file that gets its name is the sender's.
  private static func tryStage(_ choices: inout Choices, _ machine: Machine, isRaw: Bool) {
    let file = choices.pick(FuzzFile.all)
    var held = Int(choices.number(near: [file.size, Limits.blockSize, file.size / 2]) % (file.size + 2))
    held = min(held, file.bytes.count)
    var staged = Array(file.bytes[..<held])
    let isDamaged = choices.oneIn(3) && held > 0
    if isDamaged { staged[Int(choices.integer() % UInt64(held))] ^= 0x10 }
    if choices.oneIn(5) { staged += choices.bytes(40) }
    put(staged, "f.data", machine)
    let boot = Boot(id: BootID(bytes: Host.bootID()), startedAt: SystemClock.bootTime())
    let header = JournalHeader(
      blockSize: file.geometry.blockSize, size: file.size, modified: file.modified, mode: 0o644,
      path: [UInt8]("f"))
    let stamp = FileKey(
      device: machine.number, inode: inode("f.data", machine), size: UInt64(staged.count),
      modified: machine.stampNow,
      changed: machine.stampNow
    ).stamp
    var isForged = false
    if isRaw {
      put(choices.rest(), "f.journal", machine)
    } else {
      // One clock tick for everything, so that a stamp can be the right one.
      put(journal(&choices, header, file, boot, stamp, isDamaged: isDamaged, &isForged), "f.journal", machine)
    }
    guard let folder = try? PosixDirectory.open([UInt8]("/work"), confined: true) else { broken("no folder") }
    let location = Stage.Location(
      directory: folder, dataName: [UInt8]("f.data"), journalName: [UInt8]("f.journal"))
    do throws(StoreError) {
      let stage = try Stage.open(location, declared: header, path: header.path, boot: boot)
      var turns = 0
      while try !stage.takeUpMore(budget: Limits.blockSize) {
        turns += 1
        check(turns < 100, "taking up a stage does not end")
      }
      check(stage.durable <= stage.received, "durable \(stage.durable) of \(stage.received)")
      check(stage.received <= UInt64(staged.count), "held \(stage.received) of \(staged.count)")
      try finish(stage, file, folder, isForged: isForged)
    } catch {
      // Refusing is right whatever it says, as long as nothing got a name.
    }
    if let named = machine.disk.find("work/final"), !isForged {
      check(named.cached.isEqual(to: file.bytes), "a committed file is not the sender's")
    }
  }

  private static func inode(_ name: String, _ machine: Machine) -> UInt64 {
    machine.disk.find("work/" + name)?.number ?? 0
  }

  /// What a sender does: goes on where both agree, or at the last block where they do.
  private static func finish(
    _ stage: Stage, _ file: FuzzFile, _ folder: any Directory, isForged: Bool
  ) throws(StoreError) {
    var start = min(stage.received, file.size)
    if try stage.rewind(to: start) != file.proof(start) {
      start = file.geometry.blockStart(start)
      while try stage.rewind(to: start) != file.proof(start) { start -= file.geometry.blockSize }
    }
    try stage.resume(at: file.proof(start))
    check(stage.received == start, "resumed elsewhere")
    while stage.received < file.size {
      let from = stage.received
      let end = file.geometry.blockEnd(from, fileSize: file.size)
      let stored: Result<Stage.OnAppend, StoreError> = file.bytes.withUnsafeBytes { raw in
        var piece = UnsafeRawBufferPointer(rebasing: raw[Int(from)..<Int(end)])
        return withUnsafePointer(to: &piece) { piece in
          do throws(StoreError) {
            return .success(
              try stage.append(
                UnsafeBufferPointer(start: piece, count: 1), at: from,
                blockDigest: file.blockDigest(endingAt: end)))
          } catch { return .failure(error) }
        }
      }
      guard try stored.get() == .stored else {
        // Bytes that were held turned out to be others: the block is sent again from its start.
        check(stage.received == file.geometry.blockStart(from), "a damaged block begins elsewhere")
        continue
      }
    }
    try stage.checkpoint()
    check(stage.durable == file.size, "a checkpoint of a whole file covers \(stage.durable)")
    let plan = CommitPlan(
      stage: stage, claim: file.proof(file.size), directory: folder, name: [UInt8]("final"), isReplacing: true
    )
    do throws(StoreError) {
      _ = try CommitGroup.commit([plan])[0].get()
    } catch {
      // Held bytes that agree by digest must not end in a refusal.
      check(isForged, "an agreed file is refused: \(error.code)")
      throw error
    }
  }

  /// A journal whose records check each other, of true and of invented claims, and perhaps a damaged byte.
  private static func journal(
    _ choices: inout Choices, _ header: JournalHeader, _ file: FuzzFile, _ boot: Boot, _ stamp: UInt64,
    isDamaged: Bool, _ isForged: inout Bool
  ) -> [UInt8] {
    var header = header
    switch choices.below(8) {
    case 0: header.path = choices.bytes(3)
    case 1: header.modified.seconds += 1
    case 2: header.size = choices.number(near: [file.size])
    case 3: header.blockSize = choices.number(near: [header.blockSize, 4096, 0])
    default: break
    }
    var bytes = header.encoded()
    var chain = RecordChain(header: bytes)
    var digests = 0
    for _ in 0..<choices.below(8) {
      let record: Record
      switch choices.below(6) {
      case 0:
        record = .session(boot: BootID(bytes: [UInt8](repeating: choices.byte(), count: BootID.byteCount)))
      case 1:
        record = .checkpoint(durable: choices.number(near: [file.size, UInt64(digests) * Limits.blockSize]))
      case 2: record = .block(Digest(high: choices.integer(), low: 1))
      case 3: record = .session(boot: boot.id)
      default: record = .block(digests < file.blockCount ? file.blockDigest(digests) : .zero)
      }
      if case .block = record { digests += 1 }
      let isStamped = choices.oneIn(2)
      // A journal that bears the stamp of its data is believed: who writes that writes what he likes.
      if isStamped { isForged = isForged || isDamaged || !isTrue(record, file, digests) }
      chain.append(record, stamp: isStamped ? stamp : choices.integer(), to: &bytes)
    }
    if choices.oneIn(4) {
      bytes[Int(choices.number(near: [UInt64(bytes.count) - 1]) % UInt64(bytes.count))] ^= choices.byte() | 1
    }
    return Array(bytes.dropLast(choices.oneIn(4) ? choices.below(60) : 0)) + choices.bytes(choices.below(60))
  }

  private static func isTrue(_ record: Record, _ file: FuzzFile, _ digests: Int) -> Bool {
    guard case .block(let digest) = record else { return true }
    return digests <= file.blockCount && file.blockDigest(digests - 1) == digest
  }

  // MARK: Books

  /// A book may be anything: reading it never goes beyond its file, and appending to it goes on behind it.
  private static func tryBook(_ choices: inout Choices, _ machine: Machine) {
    let size = choices.number(near: [0, 1, Limits.blockSize, 3 * Limits.blockSize])
    let time = Timestamp(seconds: 5, nanoseconds: 0)
    let key = FileKey(device: 1, inode: 2, size: size, modified: time, changed: time)
    let geometry = BlockGeometry(fileSize: size)
    guard let folder = try? PosixDirectory.open([UInt8]("/work"), confined: true) else { broken("no folder") }
    // Learns the name of the book from a new one.
    _ = try? DigestBook(key, in: folder, path: [])
    guard let name = machine.disk.find("work")?.entries.keys.first else { broken("a book was not made") }
    var bytes: [UInt8] = []
    if choices.oneIn(4) {
      bytes = choices.bytes(200)
    } else {
      bytes = BookHeader(blockSize: geometry.blockSize, key: key, path: choices.bytes(3)).encoded()
      var chain = RecordChain(header: bytes)
      for _ in 0..<choices.below(8) {
        let digest = Digest(high: choices.integer(), low: 0)
        let record: Record = choices.oneIn(5) ? .checkpoint(durable: 5) : .block(digest)
        chain.append(record, stamp: choices.integer(), to: &bytes)
      }
      if choices.oneIn(3) { bytes[Int(choices.integer() % UInt64(bytes.count))] ^= choices.byte() | 1 }
      bytes = Array(bytes.dropLast(choices.below(50)))
    }
    put(bytes, String(decoding: name, as: UTF8.self), machine)
    do throws(Errno) {
      let book = try DigestBook(key, in: folder, path: [])
      check(book.bytes <= size, "a book covers \(book.bytes) bytes of \(size)")
      check(book.isComplete == (book.bytes == size), "a book is complete or is not")
      let first = choices.number(near: [book.blocks])
      let held = book.blocks
      let some = try book.digests(from: first, count: choices.below(20))
      check(UInt64(some.count) <= held - min(first, held), "a book gives digests that it has not")
      // Reading may have shown that it is shorter than it seemed.
      check(book.blocks <= held, "a book grows by being read")
      for count in [0, first, held, held + 1] {
        let chain = try book.chain(ofBlocks: count)
        check(chain == nil || chain?.blocks == count, "a book names another prefix than it was asked for")
      }
      let before = book.blocks
      try book.append(Digest(high: 3, low: 4))
      check(book.blocks == before + 1, "one block was added")
    } catch { broken("a book on a good disk fails") }
  }
}
