// Making directories on the way, alone and against other makers.

import SpliceSystem
import TestFiles
import Testing

@Suite struct MakePathTests {
  let temporary = TemporaryDirectory()

  @Test(
    arguments: [Resolution.anywhere, .beneath, .beneathWithoutLinks],
    ["a", "a/b/c", "a//b/", "./a/./b", "", "."])
  func missingComponentsAreMade(resolution: Resolution, path: String) throws {
    let root = try temporary.open(resolution)
    let made = try root.makePath(bytes(path), permissions: 0o750)
    _ = try made.openFile(bytes("proof"), .createNew, permissions: 0o644)
    let proof = path.isEmpty ? "proof" : path + "/proof"
    #expect(try root.status(bytes(proof), followLinks: false).kind == .regular)
    _ = try root.makePath(bytes(path), permissions: 0o750)
  }

  @Test func permissionsAreGivenToAllThatIsMade() throws {
    let root = try temporary.open()
    _ = try root.makePath(bytes("a/b"), permissions: 0o700)
    #expect(try root.status(bytes("a"), followLinks: false).mode == 0o700)
    #expect(try root.status(bytes("a/b"), followLinks: false).mode == 0o700)
  }

  @Test func absolutePathWorksUnconfined() throws {
    let root = try PosixDirectory.open(bytes("/"), confined: false)
    let made = try root.makePath(temporary.path + bytes("/x/y"), permissions: 0o755)
    let found = try temporary.open().status(bytes("x/y"), followLinks: false)
    #expect(try made.status([], followLinks: false) == found)
  }

  @Test func linkInsideTheExistingPartIsFollowed() throws {
    temporary.makeDirectory("real")
    temporary.makeDirectory("other")
    temporary.makeLink("real/link", to: "../other")
    let root = try temporary.open()
    _ = try root.makePath(bytes("real/link/new"), permissions: 0o755)
    #expect(try root.status(bytes("other/new"), followLinks: false).kind == .directory)
  }

  @Test func fileOrDanglingLinkInTheWayIsRefused() throws {
    temporary.makeFile("file", "")
    temporary.makeLink("dangling", to: "nowhere")
    temporary.makeLink("out", to: "/tmp")
    let root = try temporary.open()
    #expect(throws: Errno.notDirectory) { try root.makePath(bytes("file"), permissions: 0o755) }
    #expect(throws: Errno.notDirectory) { try root.makePath(bytes("file/x"), permissions: 0o755) }
    #expect(throws: Errno.noEntry) { try root.makePath(bytes("dangling/x"), permissions: 0o755) }
    #expect(throws: Errno.crossDevice) { try root.makePath(bytes("out/x"), permissions: 0o755) }
    #expect(throws: Errno.noEntry) { try root.status(bytes("nowhere"), followLinks: false) }
  }

  /// Each round every task makes the same deep path: all of them must get it.
  @Test func racingMakersAllGetTheDirectory() async throws {
    let place = temporary.path
    for round in 0..<20 {
      try await withThrowingTaskGroup(of: UInt64.self) { group in
        for _ in 0..<4 {
          group.addTask {
            let root = try PosixDirectory.open(place, confined: true)
            let made = try root.makePath(bytes("r\(round)/a/b/c"), permissions: 0o755)
            return try made.status([], followLinks: false).inode
          }
        }
        var inodes: Set<UInt64> = []
        for try await inode in group { inodes.insert(inode) }
        #expect(inodes.count == 1)
      }
    }
  }
}
