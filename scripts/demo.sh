#!/bin/bash
# Shows the main job on real data: files go up and come back over a connection that is cut in the middle,
# and each transfer goes on from the offset that both ends have proved. Leaves nothing behind.
set -eu -o pipefail
cd "$(dirname "$0")/.."

megabytes=256
mkdir -p build
work=$(mktemp -d "$PWD/build/demo.XXXXXX")
daemon=
relay=

finish() {
  for pid in $relay $daemon; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "demo: $*" >&2
  exit 1
}

# wait_for_port FILE PID: prints the port once the program has written it.
wait_for_port() {
  local tries=0
  until [ -e "$1" ]; do
    kill -0 "$2" 2>/dev/null || fail "the program that should write $1 has ended"
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "no port in $1 after 30 seconds"
    sleep 0.05
  done
  cat "$1"
}

# transfer NAME VERB ARGUMENT...: runs splice once, keeps its JSON lines for the table, returns its status.
transfer() {
  local name=$1 verb=$2
  shift 2
  build/bin/splice "$verb" --json --retry-for 0 "$@" >"$work/runs/$name"
}

# expect_cut NAME VERB ARGUMENT...: a transfer that has to end with status 75, 'gave up but resumable'.
expect_cut() {
  local status=0
  transfer "$@" || status=$?
  [ "$status" -eq 75 ] || fail "$1: exit status $status instead of 75"
  echo "   the connection is dead (exit status 75: resumable)"
}

mkdir "$work/root" "$work/runs" "$work/back" "$work/cache" "$work/send"
export XDG_CACHE_HOME=$work/cache

echo "-- files of this machine: a folder, and $megabytes MiB in one piece"
folder=/usr/include/linux
[ -d "$folder" ] || folder=/usr/share/common-licenses
cp -rL "$folder" "$work/send/folder"
big=$work/send/big.bin
{ tar -C / -cf - usr 2>/dev/null || true; cat /dev/urandom; } | head -c "$((megabytes << 20))" >"$big" || true
[ "$(stat -c %s "$big")" -eq "$((megabytes << 20))" ] || fail "cannot make $big"

build/bin/spliced --listen 127.0.0.1:0 --port-file "$work/port" "$work/root" 2>"$work/spliced.log" &
daemon=$!
port=$(wait_for_port "$work/port" "$daemon")
python3 scripts/relay.py --to "$port" --port-file "$work/relay-port" \
  --cut-up "$((megabytes * 600000))" --cut-down "$((megabytes * 400000))" &
relay=$!
relay_port=$(wait_for_port "$work/relay-port" "$relay")
direct=splice://127.0.0.1:$port
broken=splice://127.0.0.1:$relay_port

echo "-- up: the folder ($(find "$work/send/folder" -type f | wc -l) files)"
transfer put-folder put -r "$work/send/folder" "$direct/" || fail "put of the folder"
echo "-- up: the large file, through a link that is cut in the middle"
expect_cut put-cut put "$big" "$broken/big.bin"
echo "-- up: the same again"
transfer put-resumed put "$big" "$broken/big.bin" || fail "the second put"
echo "-- down: everything, the large file through the link that is cut once more"
transfer get-folder get -r "$direct/folder" "$work/back/" || fail "get of the folder"
expect_cut get-cut get "$broken/big.bin" "$work/back/big.bin"
transfer get-resumed get "$broken/big.bin" "$work/back/big.bin" || fail "the second get"

echo "-- compare"
compared=0
while IFS= read -r -d '' file; do
  cmp "$work/send/$file" "$work/back/$file" || fail "$file has come back different"
  compared=$((compared + 1))
done < <(cd "$work/send" && find . -type f -print0)
[ "$compared" -eq "$(find "$work/back" -type f | wc -l)" ] || fail "there is more or less in the copy than was sent"
echo "   $compared files are the same, byte for byte"

echo
cd "$work/runs"
runs=(put-folder get-folder)
# A cut run has a row only where the client could still report it.
for run in put-cut get-cut; do [ ! -s "$run" ] || runs+=("$run"); done
python3 "$OLDPWD/scripts/receipts.py" "${runs[@]}" --resumed put-resumed --resumed get-resumed
cd "$OLDPWD"

kill -TERM "$daemon"
wait "$daemon" || fail "spliced did not stop cleanly: $(cat "$work/spliced.log")"
daemon=
echo
echo "done: spliced has stopped, nothing is left running"
