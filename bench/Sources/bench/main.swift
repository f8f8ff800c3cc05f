// bench [--quick] [--rounds N] [--only ROW,...] [--results FOLDER] [--add] [--check]
//
// --add: keeps the rows of the last results that are not measured now.
// --check: exit status 3 when a row misses its goal.

import CBench
import Foundation
import Glibc

cbench_begin()
var status: Int32 = 0

do {
  let plan = try Plan(Array(CommandLine.arguments.dropFirst()))
  let folder = try Folder()
  defer { folder.remove() }
  // What was started here ends with us; the folder does not.
  let interruptions = [SIGINT, SIGTERM, SIGHUP].map { number in
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler { [path = folder.path] in
      // Whoever would still make a file in it finds it gone.
      rename(path, path + ".gone")
      for member in Meter.family(of: getpid()).dropFirst() { kill(member, SIGKILL) }
      try? FileManager.default.removeItem(atPath: path + ".gone")
      _exit(130)
    }
    source.resume()
    return source
  }
  defer { for source in interruptions { source.cancel() } }
  let report = try plan.run(in: folder)
  print("the same in \(plan.results)/\(plan.name).json and .svg")
  if !report.failures.isEmpty { status = 1 }
  if plan.isCheck, !report.missed.isEmpty {
    print("missed: \(report.missed.joined(separator: "; "))")
    status = 3
  }
} catch {
  FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
  status = 1
}
exit(status)
