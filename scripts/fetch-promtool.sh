#!/bin/sh
# Puts promtool into the folder given, unless there is one on PATH: out of Debian's package, which is not installed, for
# that would start a Prometheus. Where it cannot be had this says so, and the test that wants it is skipped.
set -eu

folder=$1
if command -v promtool >/dev/null || [ -x "$folder/promtool" ]; then exit 0; fi
command -v apt-get >/dev/null || { echo "no promtool: /metrics is not checked by it" >&2; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
as_root=
[ "$(id -u)" -eq 0 ] || as_root="sudo -n"
fetch() { (cd "$work" && apt-get -q -o APT::Sandbox::User=root download prometheus); }
get() {
  (fetch || { $as_root apt-get -q update && fetch; }) && dpkg-deb -x "$work"/prometheus_*.deb "$work/root" &&
    mkdir -p "$folder" && mv "$work/root/usr/bin/promtool" "$folder/promtool"
}
get || echo "no promtool: /metrics is not checked by it" >&2
