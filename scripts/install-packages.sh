#!/bin/sh
# Installs the Debian packages given as arguments, and touches nothing when they are all there.
set -eu

if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system: install what these Debian packages hold yourself: $*" >&2
  exit 0
fi

missing=
for package in "$@"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing"
# A fresh machine has no package lists yet; one that has them need not fetch them again.
# shellcheck disable=SC2086 # a list of words on purpose
$as_root apt-get install -y --no-install-recommends $missing || {
  $as_root apt-get update
  $as_root apt-get install -y --no-install-recommends $missing
}
