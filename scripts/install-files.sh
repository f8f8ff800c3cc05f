#!/bin/bash
# Installs the programs of one build with their man pages and service files.
#
#   install-files.sh PROGRAMS PREFIX [DESTDIR]
set -eu -o pipefail

programs=$(realpath "$1") prefix=$2 staging=${3:-}
cd "$(dirname "$0")/.."

for program in spliced splice; do
  install -D -m 755 "$programs/$program" "$staging$prefix/bin/$program"
done
for page in packaging/man/*.[1-8]; do
  target=$staging$prefix/share/man/man${page##*.}/$(basename "$page").gz
  install -d -m 755 "$(dirname "$target")"
  gzip -9n <"$page" >"$target"
  chmod 644 "$target"
done
for unit in packaging/systemd/*; do
  target=$staging$prefix/lib/systemd/system/$(basename "$unit")
  install -D -m 644 "$unit" "$target"
  sed -i "s|/usr/bin/|$prefix/bin/|" "$target"
done
install -D -m 644 packaging/init/spliced.openrc "$staging$prefix/share/doc/splice/examples/openrc/spliced"
install -D -m 755 packaging/init/spliced "$staging$prefix/share/doc/splice/examples/sysv/spliced"
for text in README.md CHANGELOG.md docs/*.md; do
  install -D -m 644 "$text" "$staging$prefix/share/doc/splice/$(basename "$text")"
done
