#!/bin/bash
# Builds a Debian package into build/deb.
#
#   build-deb.sh ARCHITECTURE PROGRAMS [DEPENDENCY]...
#
# Without dependencies the programs have to be static.
set -eu -o pipefail
cd "$(dirname "$0")/.."

architecture=$1 programs=$2
shift 2
version=$(scripts/version.sh)
mkdir -p build/deb
tree=$(mktemp -d "$PWD/build/deb/tree.XXXXXX")
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

scripts/install-files.sh "$programs" /usr "$tree"
install -D -m 755 packaging/init/spliced "$tree/etc/init.d/spliced"
install -D -m 644 packaging/spliced.default "$tree/etc/default/spliced"
install -D -m 644 packaging/debian/copyright "$tree/usr/share/doc/splice/copyright"
size=$(du -sk "$tree" | cut -f 1)

depends=
for dependency in "$@"; do depends="$depends${depends:+, }$dependency"; done
install -d -m 755 "$tree/DEBIAN"
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" \
  -e "s/^@DEPENDS@/${depends:+Depends: $depends\\n}/" packaging/debian/control.in >"$tree/DEBIAN/control"
install -m 755 packaging/debian/{postinst,prerm,postrm} "$tree/DEBIAN/"
printf '/etc/default/spliced\n/etc/init.d/spliced\n' >"$tree/DEBIAN/conffiles"
(cd "$tree" && find usr etc -type f -print0 | sort -z | xargs -0 md5sum) >"$tree/DEBIAN/md5sums"

package=build/deb/splice_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$package"
