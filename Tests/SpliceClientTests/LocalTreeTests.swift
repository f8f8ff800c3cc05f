// The walk over local files, on folders made for each test.

import Foundation
import SpliceBase
import SpliceClient
import SpliceSystem
import SpliceWire
import Testing

/// Keeps the notices; nothing else comes.
final class NoticeKeeper: ClientObserver {
  var notices: [String] = []
  func runDidAdvance(_ progress: RunProgress) {}
  func runDidNotice(_ text: [UInt8]) { notices.append(String(decoding: text, as: UTF8.self)) }
  func runDidFinish(_ result: FileResult) {}
}

/// A folder that is removed at the end.
final class ScratchFolder {
  let path = NSTemporaryDirectory() + "splice-test-" + UUID().uuidString

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(atPath: path) }

  func folder(_ name: String) throws {
    try FileManager.default.createDirectory(atPath: path + "/" + name, withIntermediateDirectories: true)
  }
  func file(_ name: String, _ text: String = "x") throws {
    try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
  }
  func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(atPath: path + "/" + name, withDestinationPath: target)
  }
}

@Suite struct LocalTreeTests {
  let scratch: ScratchFolder
  init() throws { scratch = try ScratchFolder() }

  struct Walk {
    /// "LOCAL > REMOTE", folders with "/" at the end; sorted.
    var items: [String] = []
    var errors: [ClientError] = []
    var notices: [String] = []
  }

  func walk(_ operands: [String], to destination: String, isRecursive: Bool = true) throws -> Walk {
    let keeper = NoticeKeeper()
    let prefix = scratch.path + "/"
    let tree = LocalTree(
      operands: operands.map { Array((prefix + $0).utf8) },
      destination: try Endpoint(Array(destination.utf8)),
      isRecursive: isRecursive, observer: keeper)
    var walk = Walk()
    while true {
      do throws(ClientError) {
        guard let item = try tree.next() else { break }
        let local = String(decoding: item.localPath, as: UTF8.self).dropFirst(prefix.count)
        let remote = String(decoding: item.remotePath, as: UTF8.self)
        walk.items.append("\(local) > \(remote)\(item.isDirectory ? "/" : "")")
      } catch {
        walk.errors.append(error)
      }
    }
    walk.items.sort()
    walk.notices = keeper.notices.map { $0.replacingOccurrences(of: prefix, with: "") }.sorted()
    return walk
  }

  @Test func fileTakesItsOwnNameBelowAFolderAndTheNameGivenElsewhere() throws {
    try scratch.file("a")
    #expect(try walk(["a"], to: "splice://h").items == ["a > a"])
    #expect(try walk(["a"], to: "splice://h/").items == ["a > a"])
    #expect(try walk(["a"], to: "splice://h/x/").items == ["a > x/a"])
    #expect(try walk(["a"], to: "splice://h/x/b").items == ["a > x/b"])
  }

  @Test func folderArrivesUnderItsNameWithOrWithoutASlash() throws {
    try scratch.folder("d/sub")
    try scratch.file("d/a")
    try scratch.file("d/sub/b")
    #expect(try walk(["d"], to: "splice://h/x/").items == ["d/a > x/d/a", "d/sub/b > x/d/sub/b"])
    #expect(try walk(["d/"], to: "splice://h/x/").items == ["d/a > x/d/a", "d/sub/b > x/d/sub/b"])
    #expect(try walk(["d"], to: "splice://h/n").items == ["d/a > n/a", "d/sub/b > n/sub/b"])
    #expect(try walk(["d/."], to: "splice://h/x/").items == ["d/./a > x/a", "d/./sub/b > x/sub/b"])
    #expect(try walk(["d/."], to: "splice://h").items == ["d/./a > a", "d/./sub/b > sub/b"])
  }

  @Test func onlyEmptyFoldersAreItemsThemselves() throws {
    try scratch.folder("d/empty")
    try scratch.folder("d/nested/inner")
    try scratch.folder("d/linkonly")
    try scratch.link("d/linkonly/l", to: "/nowhere")
    let walk = try walk(["d"], to: "splice://h")
    #expect(
      walk.items == ["d/empty > d/empty/", "d/linkonly > d/linkonly/", "d/nested/inner > d/nested/inner/"])
    #expect(walk.errors.isEmpty)
  }

  @Test func emptyRootIsNotAnItem() throws {
    try scratch.folder("d")
    #expect(try walk(["d/."], to: "splice://h").items == [])
    #expect(try walk(["d"], to: "splice://h").items == ["d > d/"])
  }

  @Test func linksAreFollowedOnTheCommandLineOnly() throws {
    try scratch.folder("d")
    try scratch.file("d/a")
    try scratch.link("d/loop\n", to: ".")
    try scratch.link("toFile", to: "d/a")
    try scratch.link("toFolder", to: "d")
    #expect(mkfifo(scratch.path + "/d/fifo", 0o600) == 0)
    let walk = try walk(["toFile", "toFolder"], to: "splice://h/")
    #expect(walk.items == ["toFile > toFile", "toFolder/a > toFolder/a"])
    #expect(
      walk.notices == [
        "toFolder/fifo: passed over, not a regular file", "toFolder/loop\\n: passed over, a symbolic link",
      ])
  }

  @Test func wrongOperandsDoNotStopTheOthers() throws {
    try scratch.file("a")
    try scratch.file("z", "four")
    try scratch.folder("d")
    try scratch.link("dangling", to: "nowhere")
    #expect(mkfifo(scratch.path + "/fifo", 0o600) == 0)
    let walk = try walk(
      ["a", "missing", "d", "dangling", "fifo", "a/b", "z/", "z"], to: "splice://h/", isRecursive: false)
    #expect(walk.items == ["a > a", "z > z"])
    #expect(
      walk.errors.map(\.code) == [
        .notFound, .isDirectory, .notFound, .readFailed, .notDirectory, .notDirectory,
      ])
    #expect(walk.errors.allSatisfy { !$0.isResumable })
    #expect(walk.errors[0].text == Array("cannot read: no such file or directory".utf8))
    #expect(walk.errors[1].text == Array("is a directory (use -r)".utf8))
    #expect(walk.errors[1].path.ends(with: "/d"))
  }

  @Test func namesThatTheServerRefusesAreErrorsOfTheirOwn() throws {
    try scratch.folder("d/.splice/deep")
    try scratch.file("d/.splice/deep/a")
    try scratch.file("d/b")
    let walk = try walk(["d/."], to: "splice://h")
    #expect(walk.items == ["d/./b > b"])
    #expect(walk.errors.map(\.code) == [.badPath])
    #expect(try self.walk(["d"], to: "splice://h").errors.isEmpty)
  }

  @Test func namesOfAnyBytesAreWalked() throws {
    try scratch.folder("d")
    let name: [UInt8] = [0xFF, 0x0A, 0x20] + Array(repeating: 0x78, count: 252)
    let path = Array((scratch.path + "/d/").utf8)
    let made = (path + name + [0]).withUnsafeBufferPointer {
      $0.withMemoryRebound(to: CChar.self) { open($0.baseAddress!, O_CREAT | O_WRONLY, 0o600) }
    }
    try #require(made >= 0)
    close(made)
    let tree = LocalTree(
      operands: [path], destination: try Endpoint(Array("splice://h".utf8)), isRecursive: true,
      observer: NoticeKeeper())
    let item = try #require(try tree.next())
    #expect(item.localPath == path + name)
    #expect(item.remotePath == Array("d/".utf8) + name)
    #expect(try tree.next() == nil)
  }

  @Test func deepTreeNeedsNoRecursion() throws {
    var deep = "d"
    for _ in 0..<200 { deep += "/s" }
    try scratch.folder(deep)
    try scratch.file(deep + "/a", "12345")
    #expect(try walk(["d"], to: "splice://h").items == ["\(deep)/a > \(deep)/a"])
  }

  @Test(arguments: [
    ("splice://h/x/a", nil, false, "a"), ("splice://h/", nil, false, "."),
    ("splice://h/x/a", "new", false, "new"), ("splice://h/x/a", "dir/", true, "dir/a"),
    ("splice://h/x/a", "dir", true, "dir/a"), ("splice://h/", "dir", true, "dir"),
    ("splice://h/x/", "/", true, "/x"),
  ] as [(String, String?, Bool, String)])
  func fetchedFilesGetTheirLocalNames(
    remote: String, local: String?, isFolder: Bool, expected: String
  ) throws {
    let path = LocalNames.localPath(
      of: try Endpoint(Array(remote.utf8)), to: local.map { Array($0.utf8) }, isFolder: isFolder)
    #expect(String(decoding: path, as: UTF8.self) == expected)
  }

  @Test func localFolderIsRecognisedByItsSlashOrByLooking() throws {
    try scratch.folder("d")
    try scratch.file("a")
    func isFolder(_ name: String) -> Bool { LocalNames.isFolder(Array((scratch.path + "/" + name).utf8)) }
    #expect(isFolder("d"))
    #expect(isFolder("new/"))
    #expect(!isFolder("new"))
    #expect(!isFolder("a"))
  }

  @Test(arguments: [
    ("a", "/home/x", "/home/x/a"), ("./a//b/.", "/", "/a/b"), ("/a/./b", "/home", "/a/b"),
    ("../a", "/home/x", "/home/x/../a"), ("", "/home", "/home"), ("a", "", "/a"),
  ])
  func absolutePathsBeginAtTheRoot(path: String, folder: String, expected: String) {
    let absolute = LocalNames.absolute(Array(path.utf8), from: Array(folder.utf8))
    #expect(String(decoding: absolute, as: UTF8.self) == expected)
  }

  @Test(arguments: [
    ([], nil), (["a"], nil), (["a", "b"], nil), (["a", "b", "a"], 2), (["", ""], nil), (["b", "a", "a", "b"], 2),
  ] as [([String], Int?)])
  func repeatedNamesAreFound(names: [String], index: Int?) {
    #expect(LocalNames.firstRepeated(names.map { Array($0.utf8) }) == index)
  }
}
