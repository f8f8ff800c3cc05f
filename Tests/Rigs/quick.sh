#!/bin/bash
# quick.sh - the short forms of all rigs, for `make test`: about four minutes on two CPUs.
# The log of each goes to build/rigs-NAME.log; its last line is shown, and all of it when a promise was broken.
set -u -o pipefail
cd "$(dirname "$0")/../.."
mkdir -p build
failed=0

# rig NAME COMMAND...
rig() {
  local name=$1 begin=$SECONDS
  shift
  if timeout --kill-after=20 240 "$@" >"build/rigs-$name.log" 2>&1; then
    echo "rig $name: $((SECONDS - begin)) s: $(grep -E '^(SKIPPED|[0-9]+ cuts|kills:|faults:|ok)' "build/rigs-$name.log" | tail -n 1)"
    grep '^SKIPPED' "build/rigs-$name.log" | tail -n +2
  else
    echo "rig $name FAILED after $((SECONDS - begin)) s; build/rigs-$name.log:"
    tail -n 40 "build/rigs-$name.log"
    failed=1
  fi
}

rig powercut Tests/Rigs/powercut.py --cuts 30 --seconds 8 ext4
rig kills Tests/Rigs/sweep.py kills --quick --kinds resume
rig faults Tests/Rigs/sweep.py faults --quick --kinds overwrite-large
rig links Tests/Rigs/links.py --quick dying-up dying-down changed-up changed-down
rig full Tests/Rigs/full.py --quick
rig limits Tests/Rigs/limits.py --quick
rig races Tests/Rigs/races.py --quick
rig memcheck Tests/Rigs/memcheck.sh
rig soak Tests/Rigs/soak.py 0.3
exit "$failed"
