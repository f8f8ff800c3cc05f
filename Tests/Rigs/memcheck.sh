#!/bin/bash
# memcheck.sh - the Embedded daemon under valgrind, through one put that is cut, its resume, a get, an ls, a stop.
# Proves that it reads and writes only memory that is its own and gives back what it took: no error, no block lost.
# No suppressions. Blocks that are still reachable at the end are globals; they are printed and not counted.
set -eu -o pipefail
cd "$(dirname "$0")"
command -v valgrind >/dev/null || { echo "SKIPPED memcheck.sh: valgrind is not installed"; exit 0; }
exec python3 memcheck.py
