// The daemon: reads its command line, opens the folder, serves it until it is told to stop.

internal import SpliceSystem

Process.exit(Daemon.run(Array(Process.arguments.dropFirst())))
