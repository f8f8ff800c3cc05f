#!/bin/bash
# Installs a package of this machine in a fresh Debian and transfers files there: test-deb.sh PACKAGE
# Needs root, and the network for debootstrap. Leaves nothing behind.
set -eu -o pipefail
cd "$(dirname "$0")/.."

package=$(realpath "$1")
[ "$(id -u)" -eq 0 ] || { echo "test-deb: must be root, to make a Debian to install in" >&2; exit 1; }
work=$(mktemp -d "$PWD/build/deb/test.XXXXXX")
root=$work/root
daemon=

finish() {
  if [ -n "$daemon" ]; then
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "test-deb: $*" >&2
  exit 1
}

enter=(chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive)
inside() { "${enter[@]}" "$@"; }

echo "-- a fresh Debian, with what the package asks for"
suite=${SUITE:-bookworm} mirror=${MIRROR:-http://deb.debian.org/debian}
depends=$(dpkg-deb -f "$package" Depends | sed 's/ *([^)]*)//g; s/, /,/g')
if ! debootstrap --variant=minbase ${depends:+--include="$depends"} "$suite" "$root" "$mirror" \
  >"$work/debootstrap.log" 2>&1; then
  tail -n 20 "$work/debootstrap.log" >&2
  fail "debootstrap failed"
fi

echo "-- install"
cp "$package" "$root/splice.deb"
inside dpkg --install /splice.deb
inside dpkg --verify splice
[ "$(inside stat -c %U:%G:%a /var/lib/spliced)" = spliced:spliced:750 ] || fail "/var/lib/spliced is not the daemon's own"
inside sh -c 'spliced --version && splice --version'
for page in man8/spliced.8.gz man1/splice.1.gz man3/splice.3.gz; do
  # A minimal Debian leaves manuals out by its own choice, so the package is asked.
  dpkg-deb -c "$package" | grep -q "/usr/share/man/$page" || fail "$page is not in the package"
done

echo "-- serve as the package's user, send, fetch"
head -c 3000000 /dev/urandom >"$root/sent"
"${enter[@]}" spliced --user spliced --listen 127.0.0.1:0 --port-file /var/lib/spliced/port /var/lib/spliced &
daemon=$!
for _ in $(seq 600); do
  [ -e "$root/var/lib/spliced/port" ] && break
  kill -0 "$daemon" 2>/dev/null || fail "spliced has ended"
  sleep 0.05
done
port=$(cat "$root/var/lib/spliced/port")
inside splice put /sent "splice://127.0.0.1:$port/folder/file"
inside splice get "splice://127.0.0.1:$port/folder/file" /fetched
cmp "$root/sent" "$root/fetched"
cmp "$root/sent" "$root/var/lib/spliced/folder/file"
[ "$(inside stat -c %U /var/lib/spliced/folder/file)" = spliced ] || fail "the file is not the daemon's"
kill "$daemon"
wait "$daemon" || fail "spliced did not stop cleanly"
daemon=

echo "-- remove: what was stored stays"
inside dpkg --purge splice
inside sh -c '! command -v spliced'
cmp "$root/sent" "$root/var/lib/spliced/folder/file"
echo "done: the package works in a fresh Debian"
