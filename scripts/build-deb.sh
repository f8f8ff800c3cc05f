#!/bin/bash
# Builds two Debian packages into build/deb: splice, and libsplice-dev with the C library.
#
#   build-deb.sh ARCHITECTURE PROGRAMS LIBRARY [DEPENDENCY]...
#
# Without dependencies the programs have to be static.
set -eu -o pipefail
cd "$(dirname "$0")/.."

architecture=$1 programs=$2 library=$3
shift 3
version=$(scripts/version.sh)
mkdir -p build/deb
trees=$(mktemp -d "$PWD/build/deb/trees.XXXXXX")
trap 'rm -rf "$trees"' EXIT

# pack NAME CONTROL: of the folder of that name, once its DEBIAN has everything but what is made here.
pack() {
  local name=$1 control=$2 tree=$trees/$1 size depends=${3:-}
  size=$(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
  sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
    -e "s/^@DEPENDS@/${depends:+Depends: $depends\\n}/" "$control" >"$tree/DEBIAN/control"
  (cd "$tree" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum) \
    >"$tree/DEBIAN/md5sums"
  dpkg-deb --root-owner-group --build "$tree" "build/deb/${name}_${version}_$architecture.deb"
}

tree=$trees/splice
install -d -m 755 "$tree" "$tree/DEBIAN"
scripts/install-files.sh "$programs" /usr "$tree"
install -D -m 755 packaging/init/spliced "$tree/etc/init.d/spliced"
install -D -m 644 packaging/spliced.default "$tree/etc/default/spliced"
install -D -m 644 packaging/debian/copyright "$tree/usr/share/doc/splice/copyright"
install -m 755 packaging/debian/{postinst,prerm,postrm} "$tree/DEBIAN/"
printf '/etc/default/spliced\n/etc/init.d/spliced\n' >"$tree/DEBIAN/conffiles"
depends=
for dependency in "$@"; do depends="$depends${depends:+, }$dependency"; done
pack splice packaging/debian/control.in "$depends"

tree=$trees/libsplice-dev
install -d -m 755 "$tree" "$tree/DEBIAN"
scripts/install-lib.sh "$library" "$tree/usr"
install -D -m 644 packaging/debian/copyright "$tree/usr/share/doc/libsplice-dev/copyright"
for example in examples/c/*.c; do
  install -D -m 644 "$example" "$tree/usr/share/doc/libsplice-dev/examples/$(basename "$example")"
done
pack libsplice-dev packaging/debian/control-dev.in
