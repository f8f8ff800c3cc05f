// SPDX-License-Identifier: Apache-2.0
// Files for the tests: made, read, damaged and compared under names of any bytes.

import Glibc

let mebibyte = 1 << 20
/// The block of design and protocol for files below 1 TiB.
let blockSize = mebibyte

/// File operations on raw paths. Each throws a `Failure` that names the path.
enum Files {
  static func makeFolder(_ path: RawString) throws {
    if path.withCString({ mkdir($0, 0o755) }) == -1, errno != EEXIST { throw Failure.system("mkdir", on: path) }
  }

  static func makeLink(_ path: RawString, to target: RawString) throws {
    try checked(path.withCString { link in target.withCString { symlink($0, link) } }, "symlink", on: path)
  }

  static func exists(_ path: RawString) -> Bool {
    var status = stat()
    return path.withCString { lstat($0, &status) } == 0
  }

  static func status(of path: RawString) throws -> stat {
    var status = stat()
    try checked(path.withCString { lstat($0, &status) }, "stat", on: path)
    return status
  }

  /// The size in bytes, or nil when there is no such file.
  static func size(of path: RawString) -> Int? {
    var status = stat()
    return path.withCString { lstat($0, &status) } == 0 ? Int(status.st_size) : nil
  }

  /// The names in a folder, sorted, or nothing when there is no such folder.
  static func names(in folder: RawString) -> [RawString] {
    guard let stream = folder.withCString({ opendir($0) }) else { return [] }
    defer { closedir(stream) }
    var names: [RawString] = []
    while let entry = readdir(stream) {
      let offset = MemoryLayout<dirent>.offset(of: \.d_name)!
      let start = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
      let name = RawString(terminated: start)
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  static func write(_ bytes: [UInt8], to path: RawString, flags: Int32 = O_CREAT | O_TRUNC) throws {
    try withDescriptor(path, flags: O_WRONLY | flags) { try writeAll(bytes, to: $0, path) }
  }

  static func append(_ bytes: [UInt8], to path: RawString) throws {
    try write(bytes, to: path, flags: O_APPEND)
  }

  /// Writes `size` random bytes, chunk by chunk.
  static func writeRandom(_ size: Int, to path: RawString, using random: inout SeededRandom) throws {
    try withDescriptor(path, flags: O_WRONLY | O_CREAT | O_TRUNC) { descriptor in
      var left = size
      while left > 0 {
        let chunk = min(left, mebibyte)
        try writeAll(random.bytes(chunk), to: descriptor, path)
        left -= chunk
      }
    }
  }

  static func read(_ path: RawString) throws -> [UInt8] {
    try withDescriptor(path, flags: O_RDONLY) { descriptor in
      var status = stat()
      try checked(fstat(descriptor, &status), "stat", on: path)
      return try readChunk(from: descriptor, count: Int(status.st_size), path)
    }
  }

  static func overwrite(_ bytes: [UInt8], in path: RawString, at offset: Int) throws {
    try withDescriptor(path, flags: O_WRONLY) { descriptor in
      let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, offset) }
      guard count == bytes.count else { throw Failure.system("pwrite", on: path) }
    }
  }

  /// Turns one bit of the byte at `offset`.
  static func flip(_ path: RawString, at offset: Int) throws {
    try withDescriptor(path, flags: O_RDWR) { descriptor in
      var byte: UInt8 = 0
      guard pread(descriptor, &byte, 1, offset) == 1 else { throw Failure("\(path) has no byte \(offset) to flip") }
      byte ^= 0x10
      try checked(pwrite(descriptor, &byte, 1, offset), "pwrite", on: path)
    }
  }

  static func truncate(_ path: RawString, to size: Int) throws {
    try checked(path.withCString { Glibc.truncate($0, size) }, "truncate", on: path)
  }

  static func remove(_ path: RawString) throws {
    try checked(path.withCString { unlink($0) }, "unlink", on: path)
  }

  /// Writes zeros until the disk says that it is full.
  static func fillDisk(with path: RawString) throws {
    try withDescriptor(path, flags: O_WRONLY | O_CREAT) { descriptor in
      let zeros = [UInt8](repeating: 0, count: 4096)
      while zeros.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) }) > 0 {}
      guard errno == ENOSPC else { throw Failure.system("fill the disk with", on: path) }
    }
  }

  /// Nil when both files hold the same bytes, else a sentence that says where they part.
  static func difference(_ left: RawString, _ right: RawString) throws -> String? {
    try withDescriptor(left, flags: O_RDONLY) { leftDescriptor in
      try withDescriptor(right, flags: O_RDONLY) { rightDescriptor in
        var offset = 0
        while true {
          let one = try readChunk(from: leftDescriptor, count: mebibyte, left)
          let other = try readChunk(from: rightDescriptor, count: mebibyte, right)
          if one != other {
            let common = zip(one, other).prefix { $0 == $1 }.count
            return "\(left) and \(right) differ at byte \(offset + common)"
              + " (sizes \(size(of: left) ?? -1) and \(size(of: right) ?? -1))"
          }
          if one.isEmpty { return nil }
          offset += one.count
        }
      }
    }
  }

  /// Every path below a folder, relative to it, folders with a closing slash; not `.splice`.
  static func tree(_ folder: RawString) -> [RawString] {
    var found: [RawString] = []
    var open: [RawString] = [""]
    while let prefix = open.popLast() {
      for name in names(in: prefix == "" ? folder : folder / prefix) where name != ".splice" {
        let path = prefix + name
        if let status = try? status(of: folder / path), status.st_mode & S_IFMT == S_IFDIR {
          found.append(path + "/")
          open.append(path + "/")
        } else {
          found.append(path)
        }
      }
    }
    return found.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  /// Nil when both folders hold the same names and bytes, else a sentence that says where they part.
  static func treeDifference(_ left: RawString, _ right: RawString) throws -> String? {
    let paths = tree(left)
    let others = tree(right)
    if paths != others {
      let odd = Set(paths).symmetricDifference(others)
      return "\(odd.count) paths are in one of \(left) and \(right) only, such as \(odd.first ?? "")"
    }
    for path in paths where !path.hasSuffix("/") {
      if let difference = try difference(left / path, right / path) { return difference }
    }
    return nil
  }

  private static func withDescriptor<Result>(
    _ path: RawString, flags: Int32, _ body: (Int32) throws -> Result
  ) throws -> Result {
    let descriptor = try checked(path.withCString { open($0, flags | O_CLOEXEC, 0o644) }, "open", on: path)
    defer { close(descriptor) }
    return try body(descriptor)
  }

  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32, _ path: RawString) throws {
    var done = 0
    while done < bytes.count {
      done += try bytes.withUnsafeBytes {
        try checked(Glibc.write(descriptor, $0.baseAddress! + done, $0.count - done), "write", on: path)
      }
    }
  }

  /// Reads up to `count` bytes; fewer only at the end of the file.
  private static func readChunk(from descriptor: Int32, count: Int, _ path: RawString) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = 0
      while filled < count {
        let step = try checked(
          Glibc.read(descriptor, buffer.baseAddress! + filled, count - filled), "read", on: path)
        if step == 0 { break }
        filled += step
      }
    }
  }
}
