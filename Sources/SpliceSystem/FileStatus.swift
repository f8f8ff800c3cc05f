// What a file system says about one file, without its contents.

internal import CPlatform
package import SpliceBase

/// The kinds that Splice treats differently; devices, sockets and FIFOs are all `.other`.
package enum FileKind: UInt8, Sendable {
  case regular
  case directory
  case symbolicLink
  case other

  /// Nil for `CSPLICE_KIND_UNKNOWN`, which only a directory's listing gives.
  init?(shimKind: UInt32) {
    switch Int(shimKind) {
    case Int(CSPLICE_KIND_REGULAR): self = .regular
    case Int(CSPLICE_KIND_DIRECTORY): self = .directory
    case Int(CSPLICE_KIND_LINK): self = .symbolicLink
    case Int(CSPLICE_KIND_OTHER): self = .other
    default: return nil
    }
  }
}

/// The identity, size, kind and times of a file at one moment.
package struct FileStatus: Equatable, Sendable {
  package var device: UInt64
  package var inode: UInt64
  /// Bytes.
  package var size: UInt64
  /// Permission bits only: 0 ... 0o7777.
  package var mode: UInt32
  package var kind: FileKind
  /// Last change of the contents; `setModified` can set it to anything.
  package var modified: Timestamp
  /// Last change of contents or metadata, by the kernel's clock; nobody can set it.
  package var changed: Timestamp
  package var linkCount: UInt64

  package init(
    device: UInt64, inode: UInt64, size: UInt64, mode: UInt32, kind: FileKind, modified: Timestamp,
    changed: Timestamp, linkCount: UInt64
  ) {
    self.device = device
    self.inode = inode
    self.size = size
    self.mode = mode
    self.kind = kind
    self.modified = modified
    self.changed = changed
    self.linkCount = linkCount
  }

  init(_ raw: csplice_status) {
    device = raw.device
    inode = raw.inode
    size = raw.size
    mode = raw.permissions
    kind = FileKind(shimKind: raw.kind) ?? .other
    modified = Timestamp(seconds: raw.modified_seconds, nanoseconds: raw.modified_nanoseconds)
    changed = Timestamp(seconds: raw.changed_seconds, nanoseconds: raw.changed_nanoseconds)
    linkCount = raw.link_count
  }
}
