// Users by name, and becoming one.

internal import CPlatform
internal import SpliceBase

/// A user and its main group.
package struct Account: Equatable, Sendable {
  package let user: UInt32
  package let group: UInt32

  package init(user: UInt32, group: UInt32) {
    self.user = user
    self.group = group
  }

  /// Reads "UID:GID", or looks a name up in `/etc/passwd`; nil when there is none of that name.
  ///
  /// Name services beyond that file would have to be loaded as libraries, which a static program cannot.
  package static func find(_ name: [UInt8]) throws(Errno) -> Account? {
    if let account = numbers(name) { return account }
    let directory = try PosixDirectory.open([UInt8]("/etc"), confined: false)
    let file = try directory.openFile([UInt8]("passwd"), .read, permissions: 0)
    let size = try file.status().size
    guard size <= fileSizeMax else { throw .fileTooLarge }
    var text = [UInt8](repeating: 0, count: Int(size))
    let result: Result<Int, Errno> = text.withUnsafeMutableBytes { raw in
      do throws(Errno) { return .success(try file.read(into: raw, at: 0)) } catch { return .failure(error) }
    }
    text.removeLast(text.count - (try result.get()))
    return find(name, in: text)
  }

  /// - Parameter text: in the form of passwd(5).
  package static func find(_ name: [UInt8], in text: [UInt8]) -> Account? {
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count >= 4, Array(fields[0]) == name else { continue }
      guard let user = number(fields[2]), let group = number(fields[3]) else { continue }
      return Account(user: user, group: group)
    }
    return nil
  }

  /// Gives up the rights of the present user for good. Before any other thread runs.
  ///
  /// - Throws: `.permission` when this process may not, or when it could come back.
  /// The corresponding C functions are `setgroups(2)`, `setresgid(2)` and `setresuid(2)`.
  package func become() throws(Errno) { try check(csplice_become_user(user, group)) }

  private static let fileSizeMax: UInt64 = 1 << 20

  private static func numbers(_ text: [UInt8]) -> Account? {
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, let user = number(parts[0]), let group = number(parts[1]) else { return nil }
    return Account(user: user, group: group)
  }

  /// The largest number means "leave it as it is" to the kernel.
  private static func number(_ text: ArraySlice<UInt8>) -> UInt32? {
    guard let value = parseDecimal(text), value < UInt64(UInt32.max) else { return nil }
    return UInt32(value)
  }
}
