// What people and scripts read: sizes, times, escapes, JSON, lists, the progress line.

import Foundation
import SpliceBase
import SpliceClient
import SpliceWire
import Testing

private func text(_ make: (inout [UInt8]) -> Void) -> String {
  var bytes: [UInt8] = []
  make(&bytes)
  return String(decoding: bytes, as: UTF8.self)
}

@Suite struct AmountTests {
  @Test(arguments: [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1049, "1.0 kB"), (1050, "1.1 kB"), (999_949, "999.9 kB"),
    (999_950, "1.0 MB"), (12_345_678, "12.3 MB"), (999_950_000, "1.0 GB"), (1 << 40, "1.1 TB"),
    (UInt64.max, "18.4 EB"), (999_949_999_999_999_999, "999.9 PB"), (999_950_000_000_000_000, "1.0 EB"),
  ] as [(UInt64, String)])
  func sizesRoundToOneDecimal(size: UInt64, expected: String) {
    #expect(text { $0.append(size: size) } == expected)
  }

  @Test(arguments: [
    (0, "0.00 s"), (4, "0.00 s"), (5, "0.01 s"), (520, "0.52 s"), (9_994, "9.99 s"), (9_995, "10.0 s"),
    (59_949, "59.9 s"), (59_950, "1 min 00 s"), (125_400, "2 min 05 s"), (3_599_499, "59 min 59 s"),
    (3_599_500, "1 h 00 min"), (7_380_000, "2 h 03 min"),
  ] as [(UInt64, String)])
  func durationsNeverShowSixty(milliseconds: UInt64, expected: String) {
    #expect(text { $0.append(duration: milliseconds) } == expected)
  }

  @Test func clocksAndSeconds() {
    #expect(text { $0.append(clock: 12) } == "0:12")
    #expect(text { $0.append(clock: 3599) } == "59:59")
    #expect(text { $0.append(clock: 3665) } == "1:01:05")
    #expect(text { $0.append(secondsOf: 7) } == "0.007")
    #expect(text { $0.append(secondsOf: 61_520) } == "61.520")
  }

  /// Every day of 800 years, against counting.
  @Test func datesAgreeWithCounting() {
    var (year, month, day) = (1800, 1, 1)
    for days in -62_091..<230_000 {
      let civil = CivilTime(Timestamp(seconds: Int64(days) * 86_400 + 86_399, nanoseconds: 0))
      #expect(civil.year == Int64(year) && civil.month == UInt64(month) && civil.day == UInt64(day))
      #expect(civil.secondOfDay == 86_399)
      let isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
      let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
      day += 1
      if day > lengths[month - 1] { (day, month) = (1, month + 1) }
      if month > 12 { (month, year) = (1, year + 1) }
    }
  }

  @Test func timesOfAnySizeHaveADate() {
    #expect(text { $0.append(dateAndTime: Timestamp(seconds: 0, nanoseconds: 0)) } == "1970-01-01 00:00:00")
    #expect(text { $0.append(dateAndTime: Timestamp(seconds: -1, nanoseconds: 0)) } == "1969-12-31 23:59:59")
    #expect(
      text { $0.append(exactTime: Timestamp(seconds: 1_795_263_983, nanoseconds: 7)) }
        == "2026-11-21T12:26:23.000000007Z")
    for seconds in [Int64.min, Int64.max] { _ = CivilTime(Timestamp(seconds: seconds, nanoseconds: 0)) }
  }
}

@Suite struct VisibleTextTests {
  @Test(arguments: [
    ("plain \u{e4}\u{20ac}\u{1f600}", "plain \u{e4}\u{20ac}\u{1f600}"), ("a\nb\tc\r", "a\\nb\\tc\\r"),
    ("\u{1b}[2J", "\\x1b[2J"), ("a\\n", "a\\\\n"), ("\u{7f}\u{0}", "\\x7f\\x00"), ("\u{9b}", "\\xc2\\x9b"),
    ("\u{202e}gpj.exe", "\\xe2\\x80\\xaegpj.exe"), ("\u{2028}", "\\xe2\\x80\\xa8"),
  ])
  func hiddenCharactersShow(name: String, expected: String) {
    #expect(text { $0.append(visible: Array(name.utf8)) } == expected)
  }

  @Test func bytesThatAreNotUTF8Show() {
    #expect(text { $0.append(visible: [0xFF, 0x61, 0xE2, 0x82]) } == "\\xffa\\xe2\\x82")
    // Overlong, surrogate, beyond the last plane.
    #expect(text { $0.append(visible: [0xC0, 0xAF]) } == "\\xc0\\xaf")
    #expect(text { $0.append(visible: [0xE0, 0x80, 0xAF]) } == "\\xe0\\x80\\xaf")
    #expect(text { $0.append(visible: [0xED, 0xA0, 0x80]) } == "\\xed\\xa0\\x80")
    #expect(text { $0.append(visible: [0xF4, 0x90, 0x80, 0x80]) } == "\\xf4\\x90\\x80\\x80")
  }

  @Test func errorLinesAreOneLine() {
    let line = errorLine(path: Array("a\nsplice: b\u{1b}[A".utf8), text: Array("cannot \\ open\n".utf8))
    #expect(String(decoding: line, as: UTF8.self) == "splice: a\\nsplice: b\\x1b[A: cannot \\ open\\n\n")
    #expect(errorLine(path: [], text: Array("x".utf8)) == Array("splice: x\n".utf8))
  }

  @Test func namesAreShortenedFromTheFront() {
    #expect(Array("abcdef".utf8).shortened(to: 6) == Array("abcdef".utf8))
    #expect(Array("abcdef".utf8).shortened(to: 5) == Array("..def".utf8))
    #expect(Array("\u{6f22}\u{5b57}x".utf8).columnCount == 5)
    #expect(Array("\u{6f22}\u{5b57}x".utf8).shortened(to: 4) == Array("..x".utf8))
    #expect(Array("abc".utf8).shortened(to: 1) == [])
  }
}

@Suite struct JSONTests {
  @Test func stringsEscapeWhatTheyMust() {
    let bytes = Array("a\"\\\n\r\t\u{1}\u{7f}\u{202e}/\u{e4}".utf8) + [0xFF, 0xE2, 0x82]
    #expect(
      text { $0.append(jsonString: bytes) }
        == "\"a\\\"\\\\\\n\\r\\t\\u0001\\u007f\\u202e/\u{e4}\\udcff\\udce2\\udc82\"")
  }

  /// All pairs of bytes, so that every boundary of UTF-8 is near; a real parser reads them.
  @Test func everyStringIsValidJSON() throws {
    for first in UInt8.min...UInt8.max {
      var line = [UInt8(ascii: "[")]
      for second in UInt8.min...UInt8.max {
        if second > 0 { line.append(UInt8(ascii: ",")) }
        // Lone surrogates are legal in JSON, but Foundation refuses them: valid text only here.
        let valid = String(validating: [first, second], as: UTF8.self)
        line.append(jsonString: valid.map { Array($0.utf8) } ?? [])
      }
      line.append(UInt8(ascii: "]"))
      let parsed = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String])
      for second in UInt8.min...UInt8.max {
        if let valid = String(validating: [first, second], as: UTF8.self) {
          #expect(Array(parsed[Int(second)].utf8) == Array(valid.utf8))
        }
      }
    }
  }

  @Test func resultHasExactlyTheKeysOfTheContract() throws {
    var result = FileResult(path: Array("a\nb".utf8))
    result.size = 12_345_678
    result.sent = 4_300_000
    result.resumedFrom = 8_045_678
    result.digest = Digest(high: 0x99aa_06d3_0147_98d8, low: 0x6001_c324_468d_497f)
    result.isDurable = true
    result.milliseconds = 520
    result.attempts = 2
    #expect(
      String(decoding: result.jsonLine, as: UTF8.self) == """
        {"path":"a\\nb","size":12345678,"sent":4300000,"resumed_from":8045678,"salvaged_to":null,\
        "digest":"99aa06d3014798d86001c324468d497f","durable":true,"seconds":0.520,"attempts":2,\
        "status":"done"}

        """)
    result.salvagedTo = 0
    result.digest = .zero
    result.outcome = .failed(ClientError(.noSpace, path: [], text: Array("no".utf8), isResumable: true))
    let parsed = try JSONSerialization.jsonObject(with: Data(result.jsonLine)) as? [String: Any]
    #expect(parsed?["salvaged_to"] as? Int == 0)
    #expect(parsed?["digest"] is NSNull)
    #expect(parsed?["status"] as? String == "failed")
    #expect(parsed?["error"] as? String == "no")
    #expect(parsed?.count == 11)
  }
}

@Suite struct ResultLineTests {
  private func line(_ direction: Direction = .sending, _ change: (inout FileResult) -> Void) -> String? {
    var result = FileResult(path: Array("photos/a.jpg".utf8))
    result.size = 12_300_000
    result.sent = 12_300_000
    result.milliseconds = 520
    result.isDurable = true
    result.attempts = 1
    change(&result)
    return result.textLine(direction).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func linesTellHowTheFileCameToBe() {
    #expect(line { _ in } == "photos/a.jpg: 12.3 MB, 12.3 MB sent in 0.52 s\n")
    #expect(
      line {
        $0.resumedFrom = 8_000_000
        $0.sent = 4_300_000
      } == "photos/a.jpg: 12.3 MB, resumed from 8.0 MB, 4.3 MB sent in 0.52 s\n")
    #expect(
      line(.receiving) {
        $0.salvagedTo = 8_000_000
        $0.attempts = 3
        $0.isDurable = false
      } == "photos/a.jpg: 12.3 MB, salvaged to 8.0 MB, 12.3 MB received in 0.52 s, 3 attempts\n")
    #expect(line { $0.isDurable = false }?.hasSuffix("0.52 s, not yet on stable storage\n") == true)
    #expect(line { $0.outcome = .alreadyThere } == "photos/a.jpg: already there, 12.3 MB\n")
    #expect(
      line { $0.outcome = .failed(ClientError(.denied, path: [], text: [], isResumable: false)) } == nil)
  }
}

@Suite struct ListFormatTests {
  private let entry = ListEntry(
    kind: .directory, mode: 0o1755, size: 4096, modified: Timestamp(seconds: 0, nanoseconds: 0),
    name: Array("a\n".utf8))

  @Test func entriesHaveTheirForms() {
    #expect(entry.shortLine(.visible) == Array("a\\n/\n".utf8))
    #expect(entry.shortLine(.exact) == Array("a\n/\n".utf8))
    #expect(
      entry.longLine(.visible) == Array("drwxr-xr-t         4096 1970-01-01 00:00:00 a\\n/\n".utf8))
    #expect(
      String(decoding: entry.jsonLine, as: UTF8.self) == """
        {"name":"a\\n","kind":"directory","size":4096,"mode":"1755",\
        "modified":"1970-01-01T00:00:00.000000000Z"}

        """)
  }

  @Test(arguments: [
    (0o644, EntryKind.file, "-rw-r--r--"), (0o7777, .file, "-rwsrwsrwt"), (0o7000, .other, "?--S--S--T"),
    (0, .directory, "d---------"),
  ] as [(UInt32, EntryKind, String)])
  func modesAreThoseOfLs(mode: UInt32, kind: EntryKind, expected: String) {
    #expect(text { $0.append(mode: mode, kind: kind) } == expected)
  }

  @Test func informationIsKeysAndValues() {
    let information = Information(
      kind: .file, mode: 0o640, size: 5, modified: Timestamp(seconds: 1, nanoseconds: 2), version: 3,
      proof: .zero, partialReceived: 4)
    #expect(
      String(decoding: information.textLines(path: Array("d/a".utf8), .visible), as: UTF8.self) == """
        path: d/a
        kind: file
        size: 5
        mode: 0640
        modified: 1970-01-01T00:00:01.000000002Z
        version: 3
        digest: not known yet
        partial: 4

        """)
    #expect(
      String(decoding: information.jsonLine(path: Array("d/a".utf8)), as: UTF8.self) == """
        {"path":"d/a","kind":"file","size":5,"mode":"0640","modified":"1970-01-01T00:00:01.000000002Z",\
        "version":3,"digest":null,"partial":4}

        """)
  }

  @Test func verificationNamesTheDamage() {
    let damaged = Verification(state: .damaged, size: 10, proof: Digest(high: 1, low: 2), damagedFrom: 7)
    #expect(
      damaged.textLine(path: Array("a".utf8))
        == Array("a: damaged from byte 7, 10 B, 00000000000000010000000000000002\n".utf8))
    #expect(String(decoding: damaged.jsonLine(path: [0x61]), as: UTF8.self).contains("\"damaged_from\":7}"))
  }
}

@Suite struct ProgressLineTests {
  private func progress(_ change: (inout RunProgress) -> Void = { _ in }) -> RunProgress {
    var progress = RunProgress()
    progress.phase = .moving
    progress.path = Array("photos/a.jpg".utf8)
    progress.done = 8_000_000
    progress.total = 16_000_000
    change(&progress)
    return progress
  }

  private func line(_ progress: RunProgress, rate: UInt64? = 4_000_000, columns: Int = 100) -> String {
    String(decoding: ProgressLine.text(progress, rate: rate, columns: columns), as: UTF8.self)
  }

  @Test func lineTellsWhereItIs() {
    #expect(
      line(progress())
        == "photos/a.jpg  [================>                ]"
        + "   50%    8.0 MB of 16.0 MB    4.0 MB/s  0:02 left")
    #expect(line(progress { $0.phase = .checking }).contains("  checking  "))
    #expect(line(progress { $0.phase = .waiting(milliseconds: 2100) }).contains("  waiting 3 s  "))
    #expect(line(progress { $0.phase = .connecting }) == "photos/a.jpg  connecting")
    #expect(line(progress { $0.filesTotal = 7 }).hasPrefix("[1/7] photos/a.jpg"))
    #expect(
      line(progress { $0.path = Array("photos/summer/2026/a.jpg".utf8) }, columns: 80)
        == "..r/2026/a.jpg  [=====>     ]   50%    8.0 MB of 16.0 MB    4.0 MB/s  0:02 left")
    #expect(line(progress { ($0.done, $0.total) = (0, 0) }).contains("100%"))
    #expect(line(progress { ($0.done, $0.total) = (.max - 1, .max) }).contains(" 99%"))
  }

  @Test func lineNeverReachesTheLastColumn() {
    let name = String(repeating: "\u{6f22}x\u{1b}", count: 40)
    for columns in 0...200 {
      for phase in [RunProgress.Phase.moving, .checking, .connecting, .waiting(milliseconds: 1)] {
        for count in [0, 120] {
          for path in [name, "a", ""] {
            let drawn = ProgressLine.text(
              progress {
                $0.phase = phase
                $0.filesTotal = count
                $0.path = Array(path.utf8)
              }, rate: 1, columns: columns)
            #expect(drawn.columnCount <= max(columns - 1, 0))
            #expect(drawn.allSatisfy { $0 >= 0x20 })
          }
        }
      }
    }
  }

  @Test func rateForgetsWhatIsFiveSecondsOld() {
    var meter = RateMeter()
    meter.record(0, now: Instant(milliseconds: 0))
    #expect(meter.bytesPerSecond == nil)
    // Ten seconds at 1000 a second, then ten seconds of nothing.
    for step in 1...100 { meter.record(UInt64(step) * 100, now: Instant(milliseconds: UInt64(step) * 100)) }
    #expect(meter.bytesPerSecond == 1000)
    for step in 101...200 { meter.record(10_000, now: Instant(milliseconds: UInt64(step) * 100)) }
    #expect(meter.bytesPerSecond == 0)
  }
}
