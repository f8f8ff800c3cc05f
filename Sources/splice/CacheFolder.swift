// Where the digests of local files are kept when the user does not say.

internal import SpliceBase
internal import SpliceClient
internal import SpliceSystem

extension CacheChoice {
  /// The folder, which need not exist yet; nil for no cache. By the XDG base directories: `XDG_CACHE_HOME`
  /// when it is absolute, else `~/.cache`.
  var folder: [UInt8]? {
    switch self {
    case .none: return nil
    case .folder(let folder): return folder
    case .standard:
      let name = [UInt8]("splice")
      if let base = Process.environment("XDG_CACHE_HOME"), base.first == UInt8(ascii: "/") {
        return LocalNames.join(base, name)
      }
      guard let home = Process.environment("HOME"), home.first == UInt8(ascii: "/") else { return nil }
      return LocalNames.join(LocalNames.join(home, [UInt8](".cache")), name)
    }
  }
}
