// SPDX-License-Identifier: Apache-2.0
// Where the programs under test are: the Embedded build, as it ships.

import Foundation
import Glibc

/// The two programs, from `SPLICE_BIN` or from `build/bin` of this checkout, and how to start them.
enum Binaries {
  static func daemon() throws -> [RawString] { try runner + [path("spliced")] }
  static func client() throws -> [RawString] { try runner + [path("splice")] }

  /// The words of `SPLICE_RUNNER`: a command that programs of another kind of machine run under.
  static let runner: [RawString] = {
    let words = ProcessInfo.processInfo.environment["SPLICE_RUNNER"] ?? ""
    return words.split(separator: " ").map { RawString(String($0)) }
  }()

  private static let folder: RawString = {
    if let given = ProcessInfo.processInfo.environment["SPLICE_BIN"] { return RawString(given) }
    return sources / "build/bin"
  }()

  /// The checkout that these tests belong to.
  static let sources: RawString = {
    var root = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { root.deleteLastPathComponent() }
    return RawString(root.path)
  }()

  /// The static programs for this machine.
  static let staticFolder: RawString = {
    #if arch(arm64)
      sources / "build/board/aarch64"
    #else
      sources / "build/board/x86_64"
    #endif
  }()

  /// - Throws: if the program is not there. A missing program fails the tests; it never skips them.
  static func path(_ name: RawString) throws -> RawString {
    let path = folder / name
    guard path.withCString({ access($0, X_OK) }) == 0 else {
      throw Failure("\(path) is missing: run 'make' first, or set SPLICE_BIN to the folder of the programs")
    }
    return path
  }
}
