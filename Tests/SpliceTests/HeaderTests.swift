// The numbers of splice.h are those of the Swift sources.

import Foundation
import SpliceEngine
import SpliceWire
import Testing

@Suite struct HeaderTests {
  /// Every `SPLICE_ERR_NAME = -NUMBER` of the header.
  private func codes() throws -> [String: Int32] {
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let header = try String(
      contentsOf: package.appendingPathComponent("CSupport/CSplice/include/splice.h"), encoding: .utf8)
    var codes: [String: Int32] = [:]
    for match in header.matches(of: /SPLICE_ERR_([A-Z_]+) = (-[0-9]+)/) {
      #expect(codes.updateValue(try #require(Int32(match.2)), forKey: String(match.1)) == nil)
    }
    return codes
  }

  @Test func everyCodeOfTheProtocolHasItsNameAndNumber() throws {
    let codes = try codes()
    for code in ErrorCode.allCases {
      var name = ""
      for letter in "\(code)" { name += letter.isUppercase ? "_\(letter)" : letter.uppercased() }
      #expect(codes[name] == -Int32(code.rawValue), "\(name)")
    }
  }

  @Test func everyCodeOfTheLibraryIsThere() throws {
    let own = try codes().values.filter { $0 < -100 }
    #expect(own.sorted(by: >) == FailureCode.ownCodes.map(\.rawValue))
    #expect(try codes().count == ErrorCode.allCases.count + FailureCode.ownCodes.count)
  }
}
