// The client program. It holds no logic of its own: see Command.swift and Run.swift.

internal import SpliceSystem

Process.exit(runProgram(Process.arguments).rawValue)
