#!/bin/sh
# Installs the Debian packages given as arguments, and touches nothing when they are all there.
# A package of another architecture is given as NAME:ARCHITECTURE.
set -eu

if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system: install what these Debian packages hold yourself: $*" >&2
  exit 0
fi

native=$(dpkg --print-architecture)
missing=
for package in "$@"; do
  # A name without an architecture stands for this machine's, also where another one's is installed beside it.
  case $package in *:*) architecture=${package##*:} ;; *) architecture=$native ;; esac
  dpkg-query -W -f '${Architecture} ${db:Status-Status}\n' "$package" 2>/dev/null |
    grep -qxE "($architecture|all) installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo
export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing"
for package in $missing; do
  case $package in
    *:*)
      architecture=${package##*:}
      if [ "$architecture" != "$native" ] && ! dpkg --print-foreign-architectures | grep -qx "$architecture"; then
        $as_root dpkg --add-architecture "$architecture"
        # A mirror in the middle of its own update refuses a list; the packages may be had all the same.
        $as_root apt-get update || echo "some package lists are missing" >&2
      fi ;;
  esac
done
# A fresh machine has no package lists yet; one that has them need not fetch them again.
# shellcheck disable=SC2086 # a list of words on purpose
$as_root apt-get install -y --no-install-recommends $missing || {
  $as_root apt-get update
  $as_root apt-get install -y --no-install-recommends $missing
}
