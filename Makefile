# Splice: one source tree, two builds.
#   make        builds what ships: the Embedded Swift programs in build/bin
#   make lib    builds the C library without a Swift runtime: build/lib/libsplice.a, build/include/splice.h
#   make run    shows them at work on real files, with a connection that dies in the middle
#   make test   builds both ways and runs every test
#   make sim    2,000 seeds of the simulator; SPLICE_SEED=N replays one with a trace
#   make sim-long  200,000 seeds
#   make sim-bite  shows that the simulator finds each mistake of Tests/SpliceSim/plants.txt
#   make fuzz   each fuzzer for a minute; FUZZ_SECONDS=600 for longer, FUZZ_TARGETS=session for one
#   make bench  measures it beside what people use instead; bench-quick: in two minutes, without those
#   make board  builds static programs and the C library for small boards: build/board
#   make board-test  runs the core of the black-box tests against them, foreign ones under qemu
#   make install PREFIX=/usr/local DESTDIR=  installs programs, library, man pages and service files
#   make deb    builds Debian packages for amd64 and arm64: build/deb
#   make deb-test  installs the one for this machine in a fresh Debian and transfers files there; as root
#   make clean  removes what the others made
#
# The long forms of what `make test` does in short (docs/reliability.md has the promises behind them):
#   make powercut  510 power cuts on each of ext4, xfs and btrfs      make kills   kill -9 at every call
#   make faults    every call fails once, and for good                make links   1 GiB over links that die
#   make full      full and read-only disks                           make limits  crowds, and little to live on
#   make races     hostile paths and links                            make memcheck  valgrind
#   make soak      30 minutes of mixed work (MINUTES=5: less)         make rigs-bite  broken programs must be noticed
#   make sanitize  the test suite under AddressSanitizer and UndefinedBehaviorSanitizer, the engine's under ThreadSanitizer

RIG_PACKAGES := gcc libfuse3-dev fuse3 e2fsprogs xfsprogs btrfs-progs nftables iproute2 strace valgrind
APT_PACKAGES := libuv1-dev libxxhash-dev libmd-dev pkg-config binutils python3
LIB_TEST_PACKAGES := gcc g++ libc6-dev valgrind
BOARD_PACKAGES := gcc libc6-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross \
  libuv1-dev:arm64 libxxhash-dev:arm64 libmd-dev:arm64 libuv1-dev:armhf libxxhash-dev:armhf libmd-dev:armhf
BOARD_TEST_PACKAGES := qemu-user
DEB_TEST_PACKAGES := debootstrap
# A real Qt client is built for the tests.
TEST_PACKAGES := g++ qtbase5-dev

BENCH_PACKAGES := nginx-light vsftpd rsync curl lftp valgrind strace e2fsprogs

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build

PROGRAMS := spliced splice
EMBEDDED_FOLDER := .build-embedded

# The value of one field of `swiftc -print-target-info`.
target_info = $(shell swiftc -print-target-info | sed -n 's/.*"$(1)": "\(.*\)".*/\1/p' | head -n 1)

# A section for each function lets the linker drop what a program does not use: half of it. Small code is
# as fast here: what is hot is in libraries and the kernel.
EMBEDDED_COMPILE = -c release -Xswiftc -Osize -Xswiftc -enable-experimental-feature -Xswiftc Embedded -Xswiftc -wmo \
  -Xswiftc -Xfrontend -Xswiftc -function-sections -Xcc -ffunction-sections
EMBEDDED_FLAGS = $(EMBEDDED_COMPILE) --scratch-path $(EMBEDDED_FOLDER) --disable-local-rpath -Xswiftc -use-ld=lld \
  -Xlinker --icf=safe -Xlinker -z -Xlinker now \
  -Xlinker "-L$(call target_info,runtimeResourcePath)/embedded/$(call target_info,moduleTriple)" \
  -Xlinker -lswiftUnicodeDataTables

# What `make board` builds for, and what the tests there need: the core of the black-box suite.
BOARDS := x86_64 aarch64 armv7
BOARD_TESTS := BlackBoxTests\.(ResumeMatrix|Command|Damage|Folder|Overwrite|Shutdown)Tests
runner_aarch64 := qemu-aarch64
runner_armv7 := qemu-arm

# What the programs of build/bin ask for at run time.
DEB_DEPENDS := "libc6 (>= 2.36)" "libuv1 (>= 1.44)"

PREFIX := /usr/local
DESTDIR :=

.PHONY: build lib test-lib run test test-rigs fuzz board board-test install deb deb-test clean packages sim sim-long sim-bite
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

# Links with nothing but libuv and libc; exports splice_* only.
lib: packages
	@swift build $(EMBEDDED_FLAGS) --target SpliceC
	@scripts/build-lib.sh $(EMBEDDED_FOLDER)/libsplice.a $(call target_info,moduleTriple) $(EMBEDDED_FOLDER)/release
	@scripts/install-lib.sh $(EMBEDDED_FOLDER)/libsplice.a build
	@ls -l build/lib/libsplice.a

# The header in three languages, the exports, every function and the examples, under valgrind; the Swift examples.
test-lib: build lib
	@scripts/install-packages.sh $(LIB_TEST_PACKAGES)
	@Tests/Library/library.py
	@Tests/Library/swift_examples.py

run: build
	@scripts/demo.sh

test: build build/board/x86_64/spliced
	@scripts/install-packages.sh $(TEST_PACKAGES)
	@scripts/fetch-promtool.sh build/tools
	swift build --build-tests
	PATH="$(CURDIR)/build/tools:$$PATH" swift test --skip-build 2>&1 | tee build/test.log
	@$(MAKE) --no-print-directory test-lib sim sim-bite fuzz SIM_BITE_LEAST=10
	@$(MAKE) --no-print-directory test-rigs

# Each rig says in one line why it is skipped where the machine lacks what it needs and apt has not.
test-rigs: build rig-packages
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

# The black-box tests run against ordinary programs with the same sanitizer in them. Leaks are for `make memcheck`: in the
# daemon's cage nobody may look at them, and XCTest has some of its own. The sanitizer does not fit into little memory.
# What is undefined in Swift traps by itself; the C beside it is checked together with the addresses, whose runtime has
# what that needs.
sanitized = export ASAN_OPTIONS=detect_leaks=0; \
  swift build --build-tests --sanitize=$(1) $(2) --scratch-path .build-$(1) && \
  SPLICE_BIN=$(CURDIR)/.build-$(1)/debug swift test --skip-build --sanitize=$(1) $(2) --scratch-path .build-$(1)

sanitize: packages
	$(call sanitized,address,-Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined) --skip littleMemoryIsEnough
	$(call sanitized,thread) --filter 'SpliceEngineTests|SpliceUVTests|SpliceCoreTests'

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

# How many mistakes must be found. `make test` is content with ten, found by the seeds that are noted.
SIM_BITE_LEAST := 1000

sim-bite: packages
	@cd Tests/SpliceSim && ./plant.py
	@cd Tests/SpliceSim && SPLICE_PLANTED=1 swift build -c release --scratch-path ../../.build-sim-planted
	@cd Tests/SpliceSim && ../../.build-sim-planted/release/sim --bite --count 2000 --least $(SIM_BITE_LEAST)

FUZZ_SECONDS := 60
FUZZ_TARGETS :=

fuzz: packages
	@Tests/Fuzz/fuzz.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)

bench: bench-programs
	@scripts/install-packages.sh $(BENCH_PACKAGES)
	@bench/.build/release/bench $(BENCH_OPTIONS)

bench-quick: bench-programs
	@bench/.build/release/bench --quick $(BENCH_OPTIONS)

bench-programs: build
	swift build -c release --package-path bench

board: build
	@scripts/install-packages.sh $(BOARD_PACKAGES)
	@for board in $(BOARDS); do scripts/build-board.sh $$board $(EMBEDDED_COMPILE); done

# The static programs of this machine, which need nothing more to be installed.
build/board/x86_64/spliced: build
	@scripts/build-board.sh x86_64

board-test: board
	@scripts/install-packages.sh $(BOARD_TEST_PACKAGES)
	swift build --build-tests
	$(foreach board,$(BOARDS),SPLICE_BIN=$(CURDIR)/build/board/$(board) SPLICE_RUNNER="$(runner_$(board))" \
	  swift test --skip-build --filter '$(BOARD_TESTS)' &&) true

# Builds nothing, so that it can run as root after somebody else's `make` and `make lib`.
install:
	@scripts/install-files.sh build/bin "$(PREFIX)" "$(DESTDIR)"
	@if [ -e build/lib/libsplice.a ]; then scripts/install-lib.sh build/lib/libsplice.a "$(DESTDIR)$(PREFIX)"; \
	else echo "not installed: the C library, which make lib builds" >&2; fi

deb: board lib
	@scripts/build-deb.sh amd64 build/bin build/lib/libsplice.a $(DEB_DEPENDS)
	@scripts/build-deb.sh arm64 build/board/aarch64 build/board/aarch64/libsplice.a

deb-test: deb
	@scripts/install-packages.sh $(DEB_TEST_PACKAGES)
	@scripts/test-deb.sh build/deb/splice_*_amd64.deb

clean:
	rm -rf .build .build-sim .build-sim-planted .build-fuzz .build-address .build-thread Tests/SpliceSim/.build-planted $(EMBEDDED_FOLDER) .build-board build
	rm -rf bench/.build

packages:
	@command -v swift >/dev/null || { echo "swift is not on PATH: install Swift 6.3 from swift.org" >&2; exit 1; }
	@scripts/install-packages.sh $(APT_PACKAGES)
