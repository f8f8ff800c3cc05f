// SPDX-License-Identifier: Apache-2.0
// A client of the real Qt (Tests/QtClient), built here, against the daemon.

import Foundation
import Glibc
import Testing

/// The flags to build with Qt; nil where it, pkg-config or a C++ compiler is missing.
private let qtFlags: [RawString]? = {
  guard let query = try? ChildProcess(["pkg-config", "--cflags", "--libs", "Qt5Network"]),
    (try? query.wait(seconds: 20)) == .exited(0), let compiler = try? ChildProcess(["c++", "--version"]),
    (try? compiler.wait(seconds: 20)) == .exited(0)
  else { return nil }
  return String(decoding: query.standardOutput, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    .map { RawString(String($0)) }
}()

@Suite(
  .enabled(
    if: qtFlags != nil,
    "Qt 5 is not installed here (Debian: g++ qtbase5-dev), so no real Qt client was tried; 'make test' installs it"))
struct QtPairTests {
  private func build(_ trial: Trial) throws -> RawString {
    let program = trial.newPath("qtclient")
    let build = try ChildProcess(
      ["c++", "-O1", "-fPIC", "-Wall", "-Werror", "-o", program, Binaries.sources / "Tests/QtClient/qtclient.cpp"]
        + (qtFlags ?? []))
    guard try build.wait(seconds: 120) == .exited(0) else { throw Failure("qtclient: \(build.standardError)") }
    return program
  }

  private func run(_ program: RawString, _ verb: RawString, _ daemon: Daemon, _ words: [RawString]) throws -> [String] {
    let process = try ChildProcess([program, verb, "127.0.0.1", "\(try daemon.qtPort())"] + words)
    let ending = try process.wait()
    let output = String(decoding: process.standardOutput, as: UTF8.self)
    guard ending == .exited(0) else {
      throw Failure("\(process.commandLine): \(ending)\n\(output)\(process.standardError)")
    }
    return output.split(separator: "\n").map(String.init)
  }

  @Test func realQtClientIsServed() throws {
    try withTrial { trial in
      let client = try build(trial)
      let daemon = try trial.daemon(["--qt", "127.0.0.1:0"])
      let small = try trial.sample(5)
      let large = try trial.sample(20 * blockSize + 3)
      let words = [small, "dir/small", large, "größe.bin"]
      #expect(try run(client, "upload", daemon, words) == ["dir/small stored 0", "größe.bin stored 0"], trial.note())
      #expect(try Files.difference(small, daemon.root / "dir/small") == nil)
      #expect(try Files.difference(large, daemon.root / "größe.bin") == nil)
      #expect(try run(client, "upload", daemon, words) == ["dir/small there", "größe.bin there"], trial.note())

      // The file grows; what is there of it is its beginning.
      try Files.append([7, 8, 9], to: small)
      #expect(try run(client, "upload", daemon, [small, "dir/small"]) == ["dir/small stored 5"], trial.note())
      #expect(try Files.difference(small, daemon.root / "dir/small") == nil)

      _ = try run(client, "break", daemon, [large, "other", "\(7 * blockSize + 11)"])
      #expect(eventually { daemon.process.standardError.contains("cut off") }, trial.note())
      #expect(
        try run(client, "upload", daemon, [large, "other"]) == ["other stored \(7 * blockSize + 11)"], trial.note())
      #expect(try Files.difference(large, daemon.root / "other") == nil)

      let target = trial.newPath("target")
      #expect(try run(client, "download", daemon, [target, "other"]) == ["other received 0"], trial.note())
      #expect(try run(client, "download", daemon, [target, "other"]) == ["other there"], trial.note())
      // The original client cuts the file that it goes on with: it must get all of it.
      try Files.truncate(target, to: 5 * blockSize)
      #expect(try run(client, "download", daemon, [target, "other"]) == ["other received 0"], trial.note())
      #expect(try Files.difference(large, target) == nil)
    }
  }
}
