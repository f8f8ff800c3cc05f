// A directory of its own for each test, with what the API under test refuses to make: links and FIFOs.

internal import Glibc
internal import SpliceBase
package import SpliceSystem

package final class TemporaryDirectory {
  /// Absolute.
  package let path: [UInt8]

  package init() {
    var template = Array("/tmp/splice-test-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    path = template.dropLast().map { UInt8(bitPattern: $0) }
  }

  deinit { removeTree(path) }

  package func open(_ resolution: Resolution = .beneath) throws(Errno) -> PosixDirectory {
    try PosixDirectory.open(path, resolution: resolution)
  }

  package func open(_ name: String, _ resolution: Resolution = .beneath) throws(Errno) -> PosixDirectory {
    try PosixDirectory.open(path + Array("/\(name)".utf8), resolution: resolution)
  }

  package func makeDirectory(_ name: String) { precondition(mkdir(text(name), 0o755) == 0) }

  package func makeLink(_ name: String, to target: String) { precondition(symlink(target, text(name)) == 0) }

  package func makeHardLink(_ name: String, to old: String) { precondition(link(text(old), text(name)) == 0) }

  package func makeFIFO(_ name: String) { precondition(mkfifo(text(name), 0o644) == 0) }

  package func makeFile(_ name: String, _ contents: String) {
    guard let stream = fopen(text(name), "w") else { preconditionFailure() }
    fputs(contents, stream)
    fclose(stream)
  }

  private func text(_ name: String) -> String { String(decoding: path, as: UTF8.self) + "/" + name }

  private func removeTree(_ path: [UInt8]) {
    guard let directory = try? PosixDirectory.open(path, confined: false),
      let reader = try? directory.reader()
    else { return }
    while let entry = try? reader.next() {
      if entry.kind == .directory { removeTree(path + [UInt8(ascii: "/")] + entry.name) }
      if entry.kind != .directory { try? directory.remove(entry.name) }
    }
    _ = (path + [0]).withUnsafeBufferPointer { bytes in
      bytes.withMemoryRebound(to: CChar.self) { rmdir($0.baseAddress!) }
    }
  }
}

package func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension File {
  package func write(_ contents: [UInt8], at offset: UInt64) throws(Errno) {
    try contents.withUnsafeBufferPointer { (buffer) throws(Errno) in
      try write(UnsafeRawBufferPointer(buffer), at: offset)
    }
  }

  package func read(count: Int, at offset: UInt64) throws(Errno) -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    defer { buffer.deallocate() }
    let got = try read(into: buffer, at: offset)
    return Array(buffer[..<got])
  }
}

/// Calls `body` with one buffer pointer for each of `parts`.
package func withPieces<Result>(
  _ parts: [[UInt8]], _ body: (UnsafeBufferPointer<UnsafeRawBufferPointer>) throws -> Result
) rethrows -> Result {
  let copies = parts.map { part in
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: part.count, alignment: 16)
    copy.copyBytes(from: part)
    return copy
  }
  defer { for copy in copies { copy.deallocate() } }
  return try copies.map { UnsafeRawBufferPointer($0) }.withUnsafeBufferPointer(body)
}
