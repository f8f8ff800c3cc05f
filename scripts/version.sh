#!/bin/sh
# Prints the version of everything in this package.
sed -n 's/.*programVersion: StaticString = "\(.*\)"/\1/p' "$(dirname "$0")/../Sources/SpliceBase/Version.swift"
