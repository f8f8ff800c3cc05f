// Command lines as tables: what was written, what was found.

import SpliceSystem
import TestFiles
import Testing

@Suite struct OptionParserTests {
  private static let options = [
    LongOption(name: "verbose", takesValue: false, short: UInt8(ascii: "v"), id: 1),
    LongOption(name: "output", takesValue: true, short: UInt8(ascii: "o"), id: 2),
    LongOption(name: "limit", takesValue: true, id: 3),
    LongOption(name: "version", takesValue: false, id: 4),
  ]

  private func parser(_ arguments: some Collection<[UInt8]>, options: [LongOption] = Self.options) -> OptionParser {
    parsingCommandLine { OptionParser(arguments, options: options) }
  }

  private func parse(_ arguments: [String]) -> ([ParsedArgument], [String]) {
    var parser = self.parser(arguments.map { bytes($0) })
    var found: [ParsedArgument] = []
    while let next = parser.next() { found.append(next) }
    return (found, parser.operands.map { String(decoding: $0, as: UTF8.self) })
  }

  @Test(arguments: [
    ([], [], []),
    (["a", "b"], [], ["a", "b"]),
    (["--verbose"], [.option(1, value: nil)], []),
    (["-v", "-v"], [.option(1, value: nil), .option(1, value: nil)], []),
    (["--output", "x"], [.option(2, value: bytes("x"))], []),
    (["--output=x=y"], [.option(2, value: bytes("x=y"))], []),
    (["--output="], [.option(2, value: [])], []),
    (["-ox"], [.option(2, value: bytes("x"))], []),
    (["-o", "-v"], [.option(2, value: bytes("-v"))], []),
    (["-vo", "x"], [.option(1, value: nil), .option(2, value: bytes("x"))], []),
    (["--limit", "5", "a"], [.option(3, value: bytes("5"))], ["a"]),
    (["--verb"], [.option(1, value: nil)], []),
    (
      ["a", "-v", "b", "--limit=1", "c"],
      [.option(1, value: nil), .option(3, value: bytes("1"))], ["a", "b", "c"]
    ),
    (["-v", "--", "-v", "--limit"], [.option(1, value: nil)], ["-v", "--limit"]),
    (["a", "--", "b"], [], ["a", "b"]),
    (["-"], [], ["-"]),
    ([""], [], [""]),
    (["--ver"], [.unknown(bytes("--ver"))], []),
    (["--nothing"], [.unknown(bytes("--nothing"))], []),
    (["--nothing=5", "a"], [.unknown(bytes("--nothing=5"))], ["a"]),
    (["-x"], [.unknown(bytes("-x"))], []),
    (["-vxv"], [.option(1, value: nil), .unknown(bytes("-x")), .option(1, value: nil)], []),
    (["--verbose=5"], [.unknown(bytes("--verbose=5"))], []),
    (["--limit"], [.missingValue(bytes("--limit"))], []),
    (["a", "-o"], [.missingValue(bytes("-o"))], ["a"]),
    (["-v", "-o"], [.option(1, value: nil), .missingValue(bytes("-o"))], []),
  ] as [([String], [ParsedArgument], [String])])
  func table(arguments: [String], found: [ParsedArgument], operands: [String]) {
    let parsed = parse(arguments)
    #expect(parsed.0 == found)
    #expect(parsed.1 == operands)
  }

  @Test func argumentsNeedNotBeText() {
    let strange: [UInt8] = [0xFF, 0x80, 0x2D]
    var parser = self.parser([bytes("-o"), strange, strange])
    #expect(parser.next() == .option(2, value: strange))
    #expect(parser.next() == nil)
    #expect(parser.operands == [strange])
  }

  @Test func subCommandsSliceIsParsedOnItsOwn() {
    let line = ["splice", "put", "-v", "file"].map { bytes($0) }
    var parser = self.parser(line[2...])
    #expect(parser.next() == .option(1, value: nil))
    #expect(parser.next() == nil)
    #expect(parser.operands == [bytes("file")])
  }

  @Test func parserLeftHalfWayDoesNotDisturbTheNext() {
    var first = parser(["-v", "-v", "a"].map { bytes($0) })
    #expect(first.next() == .option(1, value: nil))
    var second = parser(["--limit=2"].map { bytes($0) })
    #expect(second.next() == .option(3, value: bytes("2")))
    #expect(first.next() == .option(1, value: nil))
    #expect(first.next() == nil)
    #expect(second.next() == nil)
  }

  @Test func emptyTableRefusesEveryOption() {
    var parser = self.parser([bytes("--a"), bytes("-b"), bytes("c")], options: [])
    #expect(parser.next() == .unknown(bytes("--a")))
    #expect(parser.next() == .unknown(bytes("-b")))
    #expect(parser.next() == nil)
    #expect(parser.operands == [bytes("c")])
  }
}
