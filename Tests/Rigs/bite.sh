#!/bin/bash
# bite.sh - proves that the rigs bite: daemons that break a promise on purpose must be noticed, each by its rig.
set -u -o pipefail
cd "$(dirname "$0")"
failed=0

# notices NAME COMMAND...: the command has to fail, and because of a violation.
notices() {
  local name=$1 output
  shift
  output=$("$@" 2>&1)
  if [ $? -ne 0 ] && grep -qE 'BROKEN|[1-9][0-9]* violations' <<<"$output"; then
    echo "noticed   $name: $(grep -E 'BROKEN|check failed: [1-9]|violations' <<<"$output" | head -n 1 | cut -c 1-150)"
  elif grep -q '^SKIPPED' <<<"$output"; then
    grep '^SKIPPED' <<<"$output"
  else
    echo "UNNOTICED $name"
    tail -n 5 <<<"$output"
    failed=1
  fi
}

# A daemon whose flushes do nothing: powercut.py judges by itself here.
for lie in all fsync fdatasync; do
  ./powercut.py --bite "$lie" --cuts 60 --seconds 10 ext4 | tail -n 1 || failed=1
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
programs=${SPLICE_PROGRAMS:-$PWD/../../build/bin}

# wrapper NAME PROGRAM LINE: a program that does something else first.
wrapper() {
  mkdir -p "$folder/$1"
  printf '#!/bin/bash\n%s\n' "$3" >"$folder/$1/$2"
  chmod +x "$folder/$1/$2"
}

# A client that says done and has sent nothing; one that stores only half; one that ends well whatever happens.
wrapper liar splice "exit 0"
wrapper halver splice "\"$programs/splice\" \"\$@\"; s=\$?; for a; do [ -f \"\$a\" ] && truncate -s 1000 \"\$a\"; done; exit \$s"
wrapper mute splice "\"$programs/splice\" \"\$@\" 2>/dev/null"
notices "a client that claims what it has not done" env SPLICE="$folder/liar/splice" ./memcheck.py daemon
notices "a client that hides its errors" env SPLICE="$folder/mute/splice" ./full.py --quick tmpfs
notices "a client that cuts the file it fetched" env SPLICE="$folder/halver/splice" ./links.py --quick dying-down
# Crowds: a daemon that takes its time with everybody.
notices "a daemon that stops to think" env LIMITS_ALLOWANCE=-0.99 ./limits.py --quick idle
exit "$failed"
