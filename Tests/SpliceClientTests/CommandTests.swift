// The command line of the client.

import SpliceBase
import SpliceClient
import SpliceWire
import TestFiles
import Testing

@testable import splice

@Suite struct CommandTests {
  private func parse(_ line: String) throws -> Command {
    try parsingCommandLine { try Command(line.split(separator: " ").map { Array($0.utf8) }) }
  }

  private func endpoint(_ text: String) throws -> Endpoint { try Endpoint(Array(text.utf8)) }

  @Test func putTakesItsOptions() throws {
    var expected = PutCommand(destination: try endpoint("splice://h/x/"))
    expected.operands = [Array("a".utf8), Array("b".utf8)]
    #expect(try parse("put a b splice://h/x/") == .put(expected))
    #expect(expected.retrySeconds == 600)
    expected.isRecursive = true
    expected.report = ReportOptions(format: .json, isQuiet: true)
    expected.retrySeconds = 0
    expected.bytesPerSecond = 500 << 10
    expected.existing = .keep
    expected.cache = .folder(Array("c".utf8))
    let line = "put -rq a --json --retry-for=0 b --limit-rate 500KiB --if-absent splice://h/x/ --cache c"
    #expect(try parse(line) == .put(expected))
    expected.existing = .refuse
    expected.cache = .none
    #expect(try parse("put -rq --json --retry-for 0 --limit-rate=512000 --create --no-cache a b splice://h/x/") == .put(expected))
  }

  @Test func getTakesItsOptions() throws {
    var expected = GetCommand(sources: [try endpoint("splice://h/a")])
    #expect(try parse("get splice://h/a") == .get(expected))
    expected.local = Array("b".utf8)
    #expect(try parse("get splice://h/a b") == .get(expected))
    expected.local = Array("new/".utf8)
    expected.sources.append(try endpoint("splice://H:7420/b"))
    expected.isRecursive = true
    #expect(try parse("get -r splice://h/a splice://H:7420/b new/") == .get(expected))
  }

  @Test func othersTakeTheirOptions() throws {
    let target = try endpoint("splice://h/a")
    #expect(
      try parse("ls -l --json splice://h/a")
        == .list(ListCommand(folder: target, isLong: true, format: .json)))
    #expect(try parse("stat splice://h/a") == .stat(StatCommand(target: target)))
    #expect(try parse("rm -r splice://h/a") == .remove(RemoveCommand(targets: [target], isRecursive: true)))
    #expect(
      try parse("verify --json splice://h/a") == .verify(VerifyCommand(targets: [target], format: .json)))
    #expect(try parse("--help") == .help(nil))
    #expect(try parse("--version") == .version)
    #expect(try parse("put --help") == .help(.put))
    #expect(try parse("rm --help") == .help(.remove))
  }

  @Test(arguments: [
    ("", "", "no command"),
    ("session", "session", "no such command"),
    ("kick", "", "number of the client"),
    ("kick one", "one", "not the number"),
    ("drain now", "now", "nothing is expected"),
    ("partials --remove", "", "needs the PATHs"),
    ("sessions --watch --json", "", "exclude each other"),
    ("reload --control=", "", "name of a socket"),
    ("--nothing", "--nothing", "no such option"),
    ("put", "", "no FILE"),
    ("put a", "a", "not an address"),
    ("put splice://h/", "splice://h/", "no FILE"),
    ("put a b splice://h/x", "splice://h/x", "end the address with '/'"),
    ("put splice://h/a splice://h/b", "splice://h/a", "local files"),
    ("put p/a b q/a/ splice://h/x/", "q/a/", "name of another FILE"),
    ("get splice://h/p/a splice://h/b splice://h/q/a", "splice://h/q/a", "name of another PATH"),
    ("put a splice://h/../b", "splice://h/../b", "'..'"),
    ("put --if-absent --create a splice://h/", "", "exclude"),
    ("put --cache c --no-cache a splice://h/", "", "exclude"),
    ("put --retry-for", "--retry-for", "needs a value"),
    ("get --limit-rate 1023 splice://h/a", "1023", "1KiB at least"),
    ("get --limit-rate fast splice://h/a", "fast", "bytes a second"),
    ("put --retry-for 1.5 a splice://h/", "1.5", "whole seconds"),
    ("put --retry-for=-1 a splice://h/", "-1", "whole seconds"),
    ("put --retry-for 4294967296 a splice://h/", "4294967296", "whole seconds"),
    ("put -x a splice://h/", "-x", "no such option"),
    ("put --create=1 a splice://h/", "--create=1", "no such option"),
    ("get", "", "no splice://"),
    ("get a", "a", "not an address"),
    ("get --if-absent splice://h/a", "--if-absent", "no such option"),
    ("get splice://h/a b c", "b", "not an address"),
    ("get splice://h/a splice://i/b", "splice://i/b", "another server"),
    ("get splice://h/a splice://h:1/b", "splice://h:1/b", "another server"),
    ("get splice://h/a splice://h/b no-such-folder", "no-such-folder", "need a folder"),
    ("ls", "", "no splice://"),
    ("ls splice://h/a splice://h/b", "splice://h/b", "one address"),
    ("rm splice://h/", "splice://h/", "root"),
    ("rm splice://h/a splice://h", "splice://h", "root"),
    ("verify --quiet splice://h/a", "--quiet", "no such option"),
  ])
  func wrongLinesNameTheArgument(line: String, argument: String, reason: String) {
    let error = #expect(throws: UsageError.self) { try parse(line) }
    #expect(error?.argument == Array(argument.utf8))
    let sentence = String(decoding: error?.text ?? [], as: UTF8.self)
    #expect(sentence.contains(reason), "\(sentence)")
  }

  @Test func exitStatusIsThatOfTheWorstFile() {
    func status(_ failures: [Bool]) -> splice.ExitStatus {
      let reporter = RunReporter(ReportOptions(format: .text, isQuiet: true), direction: .sending)
      for isResumable in failures {
        var result = FileResult(path: Array("a".utf8))
        result.outcome = .failed(
          ClientError(.busy, path: result.path, text: Array("(from a test)".utf8), isResumable: isResumable))
        reporter.runDidFinish(result)
      }
      return reporter.finish()
    }
    #expect(status([]) == .done)
    #expect(status([true]) == .resumable)
    #expect(status([true, false, true]) == .failed)
  }
}
