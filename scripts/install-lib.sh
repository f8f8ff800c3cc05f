#!/bin/bash
# Puts the C library, its header and what pkg-config wants to know of them below a folder: lib/libsplice.a,
# include/splice.h, lib/pkgconfig/splice.pc.
#
#   install-lib.sh LIBRARY FOLDER
set -eu -o pipefail
library=$(realpath "$1") folder=$(realpath -m "$2")
cd "$(dirname "$0")/.."

install -D -m 644 "$library" "$folder/lib/libsplice.a"
install -D -m 644 CSupport/CSplice/include/splice.h "$folder/include/splice.h"
install -d -m 755 "$folder/lib/pkgconfig"
sed "s/@VERSION@/$(scripts/version.sh)/" packaging/pkgconfig/splice.pc.in >"$folder/lib/pkgconfig/splice.pc"
chmod 644 "$folder/lib/pkgconfig/splice.pc"
