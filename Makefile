# Splice: one source tree, two builds.
#   make        builds what ships: the Embedded Swift programs in build/bin
#   make run    shows them at work on real files, with a connection that dies in the middle
#   make test   builds both ways and runs every test
#   make clean  removes what the others made

APT_PACKAGES := libuv1-dev libxxhash-dev pkg-config binutils python3

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

.PHONY: build run test clean packages

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

clean:
	rm -rf .build $(EMBEDDED_FOLDER) build

packages:
	@command -v swift >/dev/null || { echo "swift is not on PATH: install Swift 6.3 from swift.org" >&2; exit 1; }
	@scripts/install-packages.sh $(APT_PACKAGES)
