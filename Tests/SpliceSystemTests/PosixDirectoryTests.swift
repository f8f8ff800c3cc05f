// Names of real directories: confinement above all, in the kernel's resolution and in our own.

import SpliceSystem
import TestFiles
import Testing

@Suite struct PosixDirectoryTests {
  let temporary = TemporaryDirectory()

  /// outside.txt, and root/ with file, sub/inner, and links inside and out.
  private func makeTree() {
    temporary.makeFile("outside.txt", "outside")
    temporary.makeDirectory("root")
    temporary.makeDirectory("root/sub")
    temporary.makeFile("root/file", "file")
    temporary.makeFile("root/sub/inner", "inner")
    temporary.makeLink("root/out", to: "../outside.txt")
    temporary.makeLink("root/absolute", to: "/etc/hostname")
    temporary.makeLink("root/up", to: "..")
    temporary.makeLink("root/inside", to: "sub/inner")
    temporary.makeLink("root/insideDirectory", to: "sub")
    temporary.makeLink("root/dangling", to: "missing")
    temporary.makeLink("root/loop", to: "loop")
    temporary.makeLink("root/sub/back", to: "../file")
  }

  private func contents(_ directory: any Directory, _ path: String) throws -> [UInt8] {
    try directory.openFile(bytes(path), .read, permissions: 0).read(count: 100, at: 0)
  }

  @Test(
    arguments: [Resolution.beneath, .beneathWithoutLinks],
    [
      "../outside.txt", "/etc/hostname", "/", "..", "sub/../../outside.txt", "./../outside.txt",
      "sub/../../root/file", "//etc/hostname",
    ])
  func pathsOutOfTheDirectoryAreRefused(resolution: Resolution, path: String) throws {
    makeTree()
    let root = try temporary.open("root", resolution)
    #expect(throws: Errno.crossDevice) { try root.openFile(bytes(path), .read, permissions: 0) }
    #expect(throws: Errno.crossDevice) { try root.openFile(bytes(path), .create, permissions: 0o644) }
    #expect(throws: Errno.crossDevice) { try root.openDirectory(bytes(path)) }
    #expect(throws: Errno.crossDevice) { try root.status(bytes(path), followLinks: true) }
    #expect(throws: Errno.crossDevice) { try root.status(bytes(path), followLinks: false) }
    #expect(throws: Errno.crossDevice) { try root.makePath(bytes(path), permissions: 0o755) }
  }

  @Test(arguments: ["out", "absolute", "up/outside.txt", "insideDirectory/../../outside.txt"])
  func linksOutOfTheDirectoryAreRefused(path: String) throws {
    makeTree()
    let kernel = try temporary.open("root", .beneath)
    #expect(throws: Errno.crossDevice) { try kernel.openFile(bytes(path), .read, permissions: 0) }
    #expect(throws: Errno.crossDevice) { try kernel.status(bytes(path), followLinks: true) }
    let walking = try temporary.open("root", .beneathWithoutLinks)
    #expect(throws: Errno.self) { try walking.openFile(bytes(path), .read, permissions: 0) }
    #expect(throws: Errno.self) { try walking.status(bytes(path), followLinks: true) }
  }

  @Test func linksThatStayInsideAreFollowedByTheKernelOnly() throws {
    makeTree()
    let kernel = try temporary.open("root", .beneath)
    #expect(try contents(kernel, "inside") == bytes("inner"))
    #expect(try contents(kernel, "insideDirectory/inner") == bytes("inner"))
    #expect(try contents(kernel, "sub/back") == bytes("file"))
    #expect(try contents(kernel, "sub/../file") == bytes("file"))
    let walking = try temporary.open("root", .beneathWithoutLinks)
    #expect(throws: Errno.loop) { try walking.openFile(bytes("inside"), .read, permissions: 0) }
    #expect(throws: Errno.notDirectory) {
      try walking.openFile(bytes("insideDirectory/inner"), .read, permissions: 0)
    }
    #expect(throws: Errno.loop) { try walking.status(bytes("inside"), followLinks: true) }
  }

  @Test func directoryOpenedBeneathIsConfinedToItself() throws {
    makeTree()
    let sub = try temporary.open("root", .beneath).openDirectory(bytes("sub"))
    #expect(try contents(sub, "inner") == bytes("inner"))
    #expect(throws: Errno.crossDevice) { try sub.openFile(bytes("back"), .read, permissions: 0) }
    #expect(throws: Errno.crossDevice) { try sub.openFile(bytes("../file"), .read, permissions: 0) }
  }

  @Test func unconfinedDirectoryFollowsEverything() throws {
    makeTree()
    let root = try temporary.open("root", .anywhere)
    #expect(try contents(root, "out") == bytes("outside"))
    #expect(try contents(root, "../outside.txt") == bytes("outside"))
    #expect(try root.status(bytes("/etc"), followLinks: true).kind == .directory)
  }

  @Test(arguments: [Resolution.anywhere, .beneath, .beneathWithoutLinks])
  func statusTellsLinksFromWhatTheyLeadTo(resolution: Resolution) throws {
    makeTree()
    let root = try temporary.open("root", resolution)
    #expect(try root.status(bytes("inside"), followLinks: false).kind == .symbolicLink)
    #expect(try root.status(bytes("dangling"), followLinks: false).kind == .symbolicLink)
    #expect(try root.status(bytes("sub/inner"), followLinks: true).size == 5)
    #expect(try root.status(bytes("sub/"), followLinks: true).kind == .directory)
    #expect(try root.status([], followLinks: true).kind == .directory)
    #expect(try root.status(bytes("."), followLinks: true) == root.status([], followLinks: true))
    #expect(throws: Errno.noEntry) { try root.status(bytes("missing"), followLinks: true) }
    #expect(throws: Errno.notDirectory) { try root.status(bytes("file/x"), followLinks: true) }
    #expect(throws: Errno.notDirectory) { try root.openDirectory(bytes("file")) }
    #expect(throws: Errno.loop) { try root.openFile(bytes("loop"), .read, permissions: 0) }
  }

  @Test(arguments: [Resolution.anywhere, .beneath, .beneathWithoutLinks])
  func emptyPathAndDotAreTheDirectoryItself(resolution: Resolution) throws {
    makeTree()
    let root = try temporary.open("root", resolution)
    for path in ["", ".", "./", "./sub/."] {
      let opened = try root.openDirectory(bytes(path))
      let name = path.contains("sub") ? "inner" : "file"
      #expect(try opened.status(bytes(name), followLinks: false).kind == .regular)
    }
  }

  @Test(arguments: [Resolution.anywhere, .beneath, .beneathWithoutLinks])
  func fileThatGetsMadeIsNeverALink(resolution: Resolution) throws {
    makeTree()
    let root = try temporary.open("root", resolution)
    for name in ["dangling", "out", "inside"] {
      #expect(throws: Errno.loop) { try root.openFile(bytes(name), .create, permissions: 0o644) }
      #expect(throws: Errno.exists) { try root.openFile(bytes(name), .createNew, permissions: 0o644) }
    }
    #expect(throws: Errno.noEntry) { try root.status(bytes("missing"), followLinks: false) }
    #expect(throws: Errno.isDirectory) { try root.openFile(bytes("new/"), .create, permissions: 0o644) }
    #expect(throws: Errno.exists) { try root.openFile(bytes("file"), .createNew, permissions: 0o644) }
    let file = try root.openFile(bytes("sub/new"), .create, permissions: 0o600)
    #expect(try file.status().mode == 0o600)
    #expect(throws: Errno.noEntry) { try root.openFile(bytes("absent"), .readWrite, permissions: 0) }
  }

  @Test(arguments: [Resolution.anywhere, .beneath, .beneathWithoutLinks])
  func fifoDoesNotHang(resolution: Resolution) throws {
    temporary.makeFIFO("fifo")
    let root = try temporary.open(resolution)
    for mode in [OpenMode.read, .readWrite, .create] {
      #expect(try root.openFile(bytes("fifo"), mode, permissions: 0o644).status().kind == .other)
    }
    #expect(throws: Errno.exists) { try root.openFile(bytes("fifo"), .createNew, permissions: 0o644) }
  }

  @Test(arguments: [Resolution.anywhere, .beneath, .beneathWithoutLinks])
  func linksAreNotOpenedForWriting(resolution: Resolution) throws {
    temporary.makeFile("a", "")
    temporary.makeLink("link", to: "a")
    let root = try temporary.open(resolution)
    for mode in [OpenMode.readWrite, .create] {
      #expect(throws: Errno.loop) { try root.openFile(bytes("link"), mode, permissions: 0o644) }
    }
  }

  @Test func nulByteInAPathIsRefused() throws {
    temporary.makeFile("a", "")
    let root = try temporary.open()
    #expect(throws: Errno.invalid) { try root.openFile([97, 0, 98], .read, permissions: 0) }
    #expect(throws: Errno.invalid) { try root.remove([97, 0]) }
    #expect(try root.status(bytes("a"), followLinks: false).kind == .regular)
  }

  @Test func longNamesAndPathsAreRefused() throws {
    let root = try temporary.open()
    let name = [UInt8](repeating: 97, count: 256)
    #expect(throws: Errno.nameTooLong) { try root.openFile(name, .create, permissions: 0o644) }
    #expect(throws: Errno.nameTooLong) { try root.makeDirectory(name, permissions: 0o755) }
    let path = [UInt8](repeating: 97, count: 100_000)
    #expect(throws: Errno.nameTooLong) { try root.openFile(path, .read, permissions: 0) }
  }

  @Test func renameReplacesOnlyWhenAsked() throws {
    makeTree()
    let root = try temporary.open("root")
    let sub = try root.openDirectory(bytes("sub"))
    #expect(throws: Errno.exists) {
      try root.rename(bytes("file"), to: sub, as: bytes("inner"), replacing: false)
    }
    #expect(try contents(root, "sub/inner") == bytes("inner"))
    #expect(try contents(root, "file") == bytes("file"))
    try root.rename(bytes("file"), to: sub, as: bytes("inner"), replacing: true)
    #expect(try contents(root, "sub/inner") == bytes("file"))
    try sub.rename(bytes("inner"), to: root, as: bytes("again"), replacing: false)
    #expect(try contents(root, "again") == bytes("file"))
    #expect(throws: Errno.noEntry) {
      try root.rename(bytes("file"), to: root, as: bytes("x"), replacing: false)
    }
  }

  @Test func namelessFileGetsOneNameAndReplacesNothing() throws {
    temporary.makeDirectory("sub")
    temporary.makeFile("taken", "older")
    let folder = try temporary.open(".", .beneath)
    let file = try #require(try folder.openNameless(permissions: 0o600))
    try file.write(bytes("content"), at: 0)
    #expect(try file.status().linkCount == 0)
    #expect(throws: Errno.exists) { try folder.link(file, as: bytes("taken")) }
    try folder.openDirectory(bytes("sub")).link(file, as: bytes("name"))
    #expect(try contents(folder, "sub/name") == bytes("content"))
    #expect(try contents(folder, "taken") == bytes("older"))
    #expect(try file.status().linkCount == 1)
    #expect(try file.status().mode == 0o600)
  }

  @Test func namelessFileGoesWithItsDescriptor() throws {
    temporary.makeDirectory("sub")
    let folder = try temporary.open("sub", .beneath)
    do {
      let file = try #require(try folder.openNameless(permissions: 0o600))
      try file.write(bytes("content"), at: 0)
    }
    #expect(try folder.reader().next() == nil)
    try temporary.open().removeDirectory(bytes("sub"))
  }

  @Test func removeTellsFilesFromDirectories() throws {
    makeTree()
    let root = try temporary.open("root")
    #expect(throws: Errno.isDirectory) { try root.remove(bytes("sub")) }
    #expect(throws: Errno.notDirectory) { try root.removeDirectory(bytes("file")) }
    #expect(throws: Errno.notEmpty) { try root.removeDirectory(bytes("sub")) }
    try root.remove(bytes("out"))
    #expect(try temporary.open().status(bytes("outside.txt"), followLinks: false).size == 7)
    let sub = try root.openDirectory(bytes("sub"))
    try sub.remove(bytes("inner"))
    try sub.remove(bytes("back"))
    try root.removeDirectory(bytes("sub"))
    #expect(throws: Errno.noEntry) { try root.openDirectory(bytes("sub")) }
    #expect(throws: Errno.noEntry) { try sub.makeDirectory(bytes("orphan"), permissions: 0o755) }
  }

  @Test func readersGiveEveryNameOnceWhateverItsEncoding() throws {
    let root = try temporary.open()
    var names: Set<[UInt8]> = [[0xFF, 0xFE, 0x80], bytes("ü"), bytes(" "), bytes("..."), [10]]
    for index in 0..<500 { names.insert(bytes("name-\(index)")) }
    for name in names { _ = try root.openFile(name, .createNew, permissions: 0o644) }
    try root.makeDirectory(bytes("directory"), permissions: 0o755)
    let first = try root.reader()
    let second = try root.reader()
    _ = try second.next()
    var seen: Set<[UInt8]> = []
    while let entry = try first.next() {
      let kind = try entry.kind ?? root.status(entry.name, followLinks: false).kind
      #expect(kind == (entry.name == bytes("directory") ? .directory : .regular))
      #expect(seen.insert(entry.name).inserted)
    }
    #expect(seen == names.union([bytes("directory")]))
    var count = 1
    while try second.next() != nil { count += 1 }
    #expect(count == seen.count)
  }

  @Test func freeSpaceAndSyncAnswer() throws {
    let root = try temporary.open()
    #expect(try root.freeSpace() > 0)
    try root.sync()
  }

  @Test func missingDirectoryIsReported() {
    #expect(throws: Errno.noEntry) { try PosixDirectory.open(bytes("/no/such/place"), confined: true) }
  }

  @Test func nameWithASlashIsOurBug() async {
    await #expect(processExitsWith: .failure) {
      let root = try PosixDirectory.open(bytes("/tmp"), confined: true)
      try root.remove(bytes("a/b"))
    }
  }
}
