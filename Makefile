# Splice: one source tree, two builds.
#   make        builds what ships: the Embedded Swift programs in build/bin
#   make run    shows them at work on real files, with a connection that dies in the middle
#   make test   builds both ways and runs every test
#   make sim    2,000 seeds of the simulator; SPLICE_SEED=N replays one with a trace
#   make sim-long  200,000 seeds
#   make sim-bite  shows that the simulator finds each mistake of Tests/SpliceSim/plants.txt
#   make bench  measures it beside what people use instead; bench-quick: in two minutes, without those
#   make clean  removes what the others made
#
# The long forms of what `make test` does in short (docs/reliability.md has the promises behind them):
#   make powercut  510 power cuts on each of ext4, xfs and btrfs      make kills   kill -9 at every call
#   make faults    every call fails once, and for good                make links   1 GiB over links that die
#   make full      full and read-only disks                           make limits  crowds, and little to live on
#   make races     hostile paths and links                            make memcheck  valgrind
#   make soak      30 minutes of mixed work (MINUTES=5: less)         make rigs-bite  broken programs must be noticed
#   make sanitize  the test suite under AddressSanitizer, and the engine's tests under ThreadSanitizer

RIG_PACKAGES := gcc libfuse3-dev fuse3 e2fsprogs xfsprogs btrfs-progs nftables iproute2 strace valgrind
APT_PACKAGES := libuv1-dev libxxhash-dev pkg-config binutils python3

BENCH_PACKAGES := nginx-light vsftpd rsync curl lftp valgrind strace

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

PROGRAMS := spliced splice
EMBEDDED_FOLDER := .build-embedded

# The value of one field of `swiftc -print-target-info`.
target_info = $(shell swiftc -print-target-info | sed -n 's/.*"$(1)": "\(.*\)".*/\1/p' | head -n 1)

EMBEDDED_FLAGS = -c release --scratch-path $(EMBEDDED_FOLDER) \
  -Xswiftc -enable-experimental-feature -Xswiftc Embedded -Xswiftc -wmo \
  -Xlinker -lm -Xlinker "-L$(call target_info,runtimeResourcePath)/embedded/$(call target_info,moduleTriple)" \
  -Xlinker -lswiftUnicodeDataTables

.PHONY: build run test test-rigs clean packages sim sim-long sim-bite
.PHONY: powercut kills faults links full limits races memcheck soak rigs-bite sanitize rig-packages
.PHONY: bench bench-quick bench-programs

# SwiftPM knows what has changed; make only asks it, and renames the finished copy into place.
build: packages
	@for program in $(PROGRAMS); do swift build $(EMBEDDED_FLAGS) --product $$program; done
	@mkdir -p build/bin
	@for program in $(PROGRAMS); do \
	  strip -o build/bin/.$$program.new $(EMBEDDED_FOLDER)/release/$$program; \
	  mv build/bin/.$$program.new build/bin/$$program; \
	done
	@ls -l build/bin

run: build
	@scripts/demo.sh

test: build
	swift build --build-tests
	@mkdir -p build
	swift test --skip-build 2>&1 | tee build/test.log
	@$(MAKE) --no-print-directory sim sim-bite
	@$(MAKE) --no-print-directory test-rigs

# Each rig says in one line why it is skipped where the machine lacks what it needs.
test-rigs: build
	@Tests/Rigs/quick.sh

powercut: build rig-packages
	@Tests/Rigs/powercut.py

kills faults: build rig-packages
	@Tests/Rigs/sweep.py $@

links full limits races: build rig-packages
	@Tests/Rigs/$@.py

memcheck: build rig-packages
	@Tests/Rigs/memcheck.sh

soak: build
	@Tests/Rigs/soak.py $(or $(MINUTES),30)

rigs-bite: build rig-packages
	@Tests/Rigs/bite.sh

sanitize:
	swift test --sanitize=address --scratch-path .build-asan
	swift test --sanitize=thread --scratch-path .build-tsan --filter 'SpliceEngineTests|SpliceUVTests|SpliceCoreTests'

rig-packages:
	@scripts/install-packages.sh $(RIG_PACKAGES)

# Found from Tests/SpliceSim, which is a package of its own.
SIM := ../../.build-sim/release/sim

sim: packages
	@cd Tests/SpliceSim && swift build -c release --scratch-path ../../.build-sim
	@cd Tests/SpliceSim && if [ -n "$${SPLICE_SEED:-}" ]; then $(SIM) --first "$$SPLICE_SEED" --trace; \
	  else $(SIM) --first 1 --count 2000; fi

sim-long: packages
	@cd Tests/SpliceSim && swift build -c release --scratch-path ../../.build-sim
	@cd Tests/SpliceSim && $(SIM) --first 1 --count 200000

sim-bite: packages
	@cd Tests/SpliceSim && ./plant.py
	@cd Tests/SpliceSim && SPLICE_PLANTED=1 swift build -c release --scratch-path ../../.build-sim-planted
	@cd Tests/SpliceSim && ../../.build-sim-planted/release/sim --bite --count 2000

bench: bench-programs
	@scripts/install-packages.sh $(BENCH_PACKAGES)
	@bench/.build/release/bench $(BENCH_OPTIONS)

bench-quick: bench-programs
	@bench/.build/release/bench --quick $(BENCH_OPTIONS)

bench-programs: build
	swift build -c release --package-path bench

clean:
	rm -rf .build .build-sim .build-sim-planted Tests/SpliceSim/.build-planted $(EMBEDDED_FOLDER) build
	rm -rf bench/.build

packages:
	@command -v swift >/dev/null || { echo "swift is not on PATH: install Swift 6.3 from swift.org" >&2; exit 1; }
	@scripts/install-packages.sh $(APT_PACKAGES)
