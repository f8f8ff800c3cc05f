// bench [--quick] [--rounds N] [--only ROW,...] [--results FOLDER] [--name NAME]

import CBench
import Foundation
import Glibc

cbench_begin()

do {
  let plan = try Plan(Array(CommandLine.arguments.dropFirst()))
  let folder = try Folder()
  defer { folder.remove() }
  let report = try plan.run(in: folder)
  print(report.table)
  try report.write(to: plan.results, named: plan.name)
  print("the same in \(plan.results)/\(plan.name).json and .svg")
} catch {
  FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
  exit(1)
}
