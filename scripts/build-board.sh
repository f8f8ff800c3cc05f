#!/bin/bash
# Builds static programs and the C library for a board into build/board/ARCHITECTURE. After `make build`.
#
#   build-board.sh aarch64|armv7|riscv64|x86_64 SWIFT_FLAG...
#
# Swift has an Embedded standard library for x86-64 Linux only. For the other machines the bare-metal one is taken: it
# is the same code and asks for nothing but libc. What makes the result a Linux program is told to the C importer by
# hand (the headers and macros of Linux), and gcc links it against Debian's static libraries for that machine.
set -eu -o pipefail
cd "$(dirname "$0")/.."
. scripts/objects.sh

machine=$1
shift
machine_flags=() form=-static-pie
case $machine in
  x86_64) triple=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu ;;
  aarch64) triple=aarch64-none-none-elf gcc=aarch64-linux-gnu ;;
  armv7)
    triple=armv7-none-none-eabi gcc=arm-linux-gnueabihf form=-static # its C library has no start-up code for PIE
    # Sizes and times of 64 bits are a choice on machines of 32.
    machine_flags=(-mfloat-abi=hard -mfpu=vfpv3-d16 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64) ;;
  riscv64) triple=riscv64-none-none-eabi gcc=riscv64-linux-gnu machine_flags=(-march=rv64gc -mabi=lp64d) ;;
  *) echo "build-board.sh: no way is known to build for $machine" >&2; exit 2 ;;
esac

flags=("$@")
for flag in "--target=$gcc" "${machine_flags[@]}" -fPIC -D__linux__=1 -D__gnu_linux__=1 -D__unix__=1 -D_GNU_SOURCE=1 \
  -isystem "/usr/$gcc/include" -isystem "/usr/include/$gcc"; do
  flags+=(-Xcc "$flag")
done

if [ "$machine" = x86_64 ]; then
  scratch=.build-embedded # which `make build` has filled with the same
else
  scratch=.build-board/$machine
  for target in spliced splice SpliceC; do
    swift build --triple "$triple" --scratch-path "$scratch" "${flags[@]}" --target "$target"
  done
fi

built=$scratch/$triple/release
# shellcheck disable=SC2086 # a list of words on purpose
common=$(objects "$built" $common_modules)
runtime=$(swiftc -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p' | head -n 1)
tools=$(dirname "$(readlink -f "$(command -v swiftc)")")
folder=build/board/$machine
mkdir -p "$folder"
for program in spliced splice; do
  # SwiftPM renames every main. GNU ld refuses Swift's relocations, so lld of the Swift toolchain links; in the
  # short form, which glibc knows since 2.36, they are 55 KB less to map.
  # shellcheck disable=SC2046,SC2086 # lists of words on purpose
  "$gcc-gcc" "$form" -B"$tools" -fuse-ld=lld -s -Wl,--defsym=main="${program}_main" -Wl,--gc-sections \
    -Wl,--icf=safe -Wl,-z,now -Wl,--pack-dyn-relocs=relr -o "$folder/.$program.new" $(objects "$built" "$program") $common \
    -L"$runtime/embedded/$triple" -lswiftUnicodeDataTables -l:libuv_a.a -l:libmd.a -lpthread -ldl -lrt
  mv "$folder/.$program.new" "$folder/$program"
done
# The one for this machine is that of `make lib`.
[ "$machine" = x86_64 ] || scripts/build-lib.sh "$folder/libsplice.a" "$triple" "$built" "$gcc-"
ls -l "$folder"
