#!/usr/bin/env bash
# Builds the fuzzers and runs each target: fuzz.sh SECONDS [TARGET...]
# What was learnt stays in build/fuzz/corpus; an input that breaks something stays in build/fuzz.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

seconds=$1
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(session hostile-server journals qt-session frames paths addresses qt-requests metrics-requests)
jobs=${FUZZ_JOBS:-$(nproc)}

# The library and everything below it, with the eyes of libFuzzer in it; its main comes at the last step.
# That needs lld: the gold linker stumbles over the sanitizers.
mkdir -p build/fuzz
if ! swift build -c release --package-path Tests/Fuzz --scratch-path .build-fuzz --product Fuzz \
  -Xswiftc -sanitize=fuzzer,address -Xswiftc -enable-testing -Xcc -fsanitize=fuzzer-no-link,address \
  >build/fuzz/build.log 2>&1; then
  tail -n 30 build/fuzz/build.log
  exit 1
fi
swiftc -sanitize=fuzzer,address -use-ld=lld .build-fuzz/release/libFuzz.a -lm -l:libmd.a -o build/fuzz/fuzz

# Swift's own backtraces would be printed beside libFuzzer's, and have hung.
export SWIFT_BACKTRACE=enable=no

# run TARGET SECONDS: one target, begun with what the encoders make and what earlier runs have found.
run() {
  local target=$1 seeds=build/fuzz/seeds/$1 corpus=build/fuzz/corpus/$1
  rm -rf "$seeds"
  mkdir -p "$seeds" "$corpus"
  build/fuzz/fuzz "--target=$target" "--seeds=$seeds"
  timeout --kill-after=10 $(($2 + 120)) build/fuzz/fuzz "--target=$target" -max_total_time="$2" -timeout=30 \
    -rss_limit_mb=3000 -max_len=4096 -print_final_stats=1 -artifact_prefix="build/fuzz/$target-" \
    "$corpus" "$seeds" >"build/fuzz/$target.log" 2>&1
}

# executions TARGET: how many inputs its last run tried, and how many it kept.
executions() {
  sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$1.log"
}

# A run that cannot fail proves nothing: this one must, by the promise that it breaks.
rm -rf build/fuzz/corpus/canary
if run canary 60 || ! grep -q '^BROKEN: the canary' build/fuzz/canary.log; then
  echo "fuzz: the canary did not fail: no other result counts (build/fuzz/canary.log)"
  exit 1
fi
rm -f build/fuzz/canary-*
echo "fuzz: canary failed as it must, after $(executions canary) executions"

# one TARGET: runs it and says in one line what came of it.
one() {
  if run "$1" "$seconds"; then
    echo "fuzz: $1: $(executions "$1") executions in $seconds s," \
      "$(ls build/fuzz/corpus/"$1" | wc -l) inputs kept, nothing broken"
  else
    echo "fuzz: $1 FAILED, see build/fuzz/$1.log"
    grep -E '^BROKEN|internal error|Swift runtime failure|^SUMMARY|Test unit written' "build/fuzz/$1.log" | head -n 5
    echo "replay with: build/fuzz/fuzz --target=$1 build/fuzz/$1-..."
    return 1
  fi
}
export -f run one executions
export seconds
printf '%s\n' "${targets[@]}" | xargs -P "$jobs" -I{} bash -c 'one {} || exit 1'
