// SPDX-License-Identifier: Apache-2.0
// Where the programs under test are: the Embedded build, as it ships.

import Foundation
import Glibc

/// The two programs, from `SPLICE_BIN` or from `build/bin` of this checkout.
enum Binaries {
  static func daemon() throws -> RawString { try find("spliced") }
  static func client() throws -> RawString { try find("splice") }

  private static let folder: RawString = {
    if let given = ProcessInfo.processInfo.environment["SPLICE_BIN"] { return RawString(given) }
    var root = URL(fileURLWithPath: #filePath)
    for _ in 0..<4 { root.deleteLastPathComponent() }
    return RawString(root.path) / "build/bin"
  }()

  /// - Throws: if the program is not there. A missing program fails the tests; it never skips them.
  private static func find(_ name: RawString) throws -> RawString {
    let path = folder / name
    guard path.withCString({ access($0, X_OK) }) == 0 else {
      throw Failure("\(path) is missing: run 'make' first, or set SPLICE_BIN to the folder of the programs")
    }
    return path
  }
}
