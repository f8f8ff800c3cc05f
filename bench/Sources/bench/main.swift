// bench [--quick] [--rounds N] [--only ROW,...] [--results FOLDER] [--check]
//
// --check: exit status 3 when a row misses its goal.

import CBench
import Foundation

cbench_begin()
var status: Int32 = 0

do {
  let plan = try Plan(Array(CommandLine.arguments.dropFirst()))
  let folder = try Folder()
  defer { folder.remove() }
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
