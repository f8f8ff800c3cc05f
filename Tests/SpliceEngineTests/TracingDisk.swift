// A real folder that writes down what changes it, in order, and fails where it is told to.

import SpliceBase
import SpliceSystem

/// What the files and directories of one test have in common.
final class Trace {
  /// "sync a", "rename a", "syncfs", …
  private(set) var events: [String] = []
  /// Bytes that were read of files.
  fileprivate(set) var bytesRead = 0
  /// As on a file system without fallocate.
  var cannotReserve = false
  /// As on a file system without O_TMPFILE.
  var cannotOpenNameless = false
  /// What comes of reserving room.
  var reserveError: Errno?
  /// What comes of looking at these names.
  var statusErrors: [String: Errno] = [:]
  /// Of the directories, instead of the true one.
  var device: UInt64?
  /// What the disk says to have, instead of the truth.
  var freeSpace: UInt64?
  /// Changes of times are events, too.
  var notesDates = false
  /// What somebody else does at an event, before it happens.
  var whenNoted: [String: () -> Void] = [:]
  private var failures: [String: (error: Errno, after: Int)] = [:]

  /// Lets the next event of this text fail, or a later one: after so many good ones.
  func fail(_ event: String, with error: Errno, after count: Int = 0) { failures[event] = (error, count) }

  func note(_ event: String) throws(Errno) {
    events.append(event)
    whenNoted[event]?()
    guard let failure = failures.removeValue(forKey: event) else { return }
    if failure.after == 0 { throw failure.error }
    failures[event] = (failure.error, failure.after - 1)
  }

  func forget() {
    events = []
    bytesRead = 0
  }
}

final class TracingDirectory: Directory {
  private let real: any Directory
  private let trace: Trace

  init(_ real: any Directory, _ trace: Trace) {
    self.real = real
    self.trace = trace
  }

  var descriptor: Int32 { real.descriptor }

  func openFile(_ path: [UInt8], _ mode: OpenMode, permissions: UInt32) throws(Errno) -> any File {
    TracingFile(try real.openFile(path, mode, permissions: permissions), text(path), trace)
  }

  func openNameless(permissions: UInt32) throws(Errno) -> (any File)? {
    if trace.cannotOpenNameless { return nil }
    try trace.note("open nameless")
    guard let file = try real.openNameless(permissions: permissions) else { return nil }
    return TracingFile(file, "nameless", trace)
  }

  func link(_ file: any File, as name: [UInt8]) throws(Errno) {
    try trace.note("link \(text(name))")
    try real.link(file, as: name)
    (file as? TracingFile)?.name = text(name)
  }

  func openDirectory(_ path: [UInt8]) throws(Errno) -> any Directory {
    TracingDirectory(try real.openDirectory(path), trace)
  }

  func makeDirectory(_ name: [UInt8], permissions: UInt32) throws(Errno) {
    try trace.note("mkdir \(text(name))")
    try real.makeDirectory(name, permissions: permissions)
  }

  func rename(_ name: [UInt8], to directory: any Directory, as newName: [UInt8], replacing: Bool) throws(Errno) {
    try trace.note("rename \(text(newName))")
    try real.rename(name, to: directory, as: newName, replacing: replacing)
  }

  func remove(_ name: [UInt8]) throws(Errno) { try real.remove(name) }
  func removeDirectory(_ name: [UInt8]) throws(Errno) { try real.removeDirectory(name) }

  func status(_ path: [UInt8], followLinks: Bool) throws(Errno) -> FileStatus {
    if let error = trace.statusErrors[text(path)] { throw error }
    var status = try real.status(path, followLinks: followLinks)
    if let device = trace.device { status.device = device }
    return status
  }

  func reader() throws(Errno) -> any DirectoryReader { try real.reader() }

  func sync() throws(Errno) {
    try trace.note("sync names")
    try real.sync()
  }

  func requireWritable() throws(Errno) { try real.requireWritable() }

  func syncFileSystem() throws(Errno) {
    try trace.note("syncfs")
    try real.syncFileSystem()
  }

  func freeSpace() throws(Errno) -> UInt64 {
    if let freeSpace = trace.freeSpace { return freeSpace }
    return try real.freeSpace()
  }
}

final class TracingFile: File {
  private let real: any File
  fileprivate var name: String
  private let trace: Trace

  init(_ real: any File, _ name: String, _ trace: Trace) {
    self.real = real
    self.name = name
    self.trace = trace
  }

  var descriptor: Int32 { real.descriptor }
  func status() throws(Errno) -> FileStatus { try real.status() }

  func read(into: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) -> Int {
    let count = try real.read(into: into, at: offset)
    trace.bytesRead += count
    return count
  }

  func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>, at offset: UInt64) throws(Errno) {
    try trace.note("write \(name)")
    try real.write(pieces, at: offset)
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
    try trace.note("write \(name)")
    try real.write(bytes, at: offset)
  }
  func writeUncached(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
    try trace.note("write \(name)")
    try real.writeUncached(bytes, at: offset)
  }

  func syncData() throws(Errno) {
    try trace.note("sync \(name)")
    try real.syncData()
  }

  func sync() throws(Errno) {
    try trace.note("sync \(name)")
    try real.sync()
  }

  func startWriteback(from offset: UInt64, count: UInt64) { real.startWriteback(from: offset, count: count) }

  func waitForWriteback(from offset: UInt64, count: UInt64) throws(Errno) {
    try trace.note("wait \(name)")
    try real.waitForWriteback(from: offset, count: count)
  }

  func truncate(to size: UInt64) throws(Errno) { try real.truncate(to: size) }
  func reserve(from offset: UInt64, count: UInt64) throws(Errno) -> Bool {
    if trace.cannotReserve { return false }
    if let error = trace.reserveError { throw error }
    return try real.reserve(from: offset, count: count)
  }
  func setModified(_ time: Timestamp) throws(Errno) {
    if trace.notesDates { try trace.note("date \(name)") }
    try real.setModified(time)
  }
  func setMode(_ mode: UInt32) throws(Errno) { try real.setMode(mode) }
  func willNeed(from offset: UInt64, count: UInt64) { real.willNeed(from: offset, count: count) }
  func isCached(from offset: UInt64, count: UInt64) -> Bool { real.isCached(from: offset, count: count) }
  func dropCached() { real.dropCached() }
  func tryLock() throws(Errno) -> Bool { try real.tryLock() }
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
