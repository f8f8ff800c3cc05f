#!/bin/bash
# Makes the C library of what SwiftPM has compiled in Embedded mode.
#
#   build-lib.sh LIBRARY TRIPLE RELEASE_FOLDER [TOOL_PREFIX]
#
# One object with the modules and what they need of the Swift runtime, in which only splice_* can be seen from
# outside: a program may have a Swift runtime of its own, or another copy of anything else. What no function
# of splice.h needs is left out.
set -eu -o pipefail
cd "$(dirname "$0")/.."
. scripts/objects.sh

library=$1 triple=$2 built=$3 tools=${4:-}
machine=${tools:-$(uname -m)-linux-gnu}
runtime=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p' | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

roots=$(sed -n 's/^.*[ *]\(splice_[a-z_]*\)(.*$/\1/p' CSupport/CSplice/include/splice.h | sort -u)
# shellcheck disable=SC2046,SC2086 # lists of words on purpose
"$tools"ld -r --gc-sections $(printf -- '--undefined=%s ' $roots) -o "$work/all.o" \
  $(objects "$built" SpliceC $common_modules) -L"$runtime/embedded/$triple" -lswiftUnicodeDataTables \
  -L"/usr/lib/${machine%-}" -l:libmd.a
"$tools"objcopy --wildcard --keep-global-symbol='splice_*' --strip-unneeded "$work/all.o" "$work/splice.o"
mkdir -p "$(dirname "$library")"
rm -f "$work/libsplice.a"
"$tools"ar -rcD "$work/libsplice.a" "$work/splice.o"
mv "$work/libsplice.a" "$library"
