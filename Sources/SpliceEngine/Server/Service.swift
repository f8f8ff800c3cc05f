// What a listening address is for.

/// The protocol of the clients that come in at an address.
enum Service: Int, CaseIterable {
  case native
  /// Deployed programs with the protocol of docs/qt.md.
  case qt

  /// As administrators see it.
  var name: StaticString {
    switch self {
    case .native: "splice"
    case .qt: "qt"
    }
  }
}
