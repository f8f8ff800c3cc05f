// The simulator's command line; see the Makefile for what people type.

import Foundation

exit(Runner(Array(CommandLine.arguments.dropFirst())).run())
