#!/bin/bash
# Puts splice.h and splice.pc below a folder, beside the library: include/splice.h, lib/pkgconfig/splice.pc.
#
#   build-pc.sh FOLDER
set -eu -o pipefail
cd "$(dirname "$0")/.."

version=$(scripts/version.sh)
install -D -m 644 CSupport/CSplice/include/splice.h "$1/include/splice.h"
install -d -m 755 "$1/lib/pkgconfig"
sed "s/@VERSION@/$version/" packaging/pkgconfig/splice.pc.in >"$1/lib/pkgconfig/splice.pc"
chmod 644 "$1/lib/pkgconfig/splice.pc"
