# Waggle: see README.md. Every target installs what it needs (tools/setup).
ARGS ?=
JOBS ?= $(shell nproc)
TSAN_TESTS = base_test http_test exporters_test metrics_test agent_test

.PHONY: run build build-arm64 build-fuzz build-tsan deb test test-kernels test-shadow-stack arm64 arm64-boot bench soak fuzz check-tsan format tidy demo clean
.DEFAULT_GOAL := build

run: build            ## build and run on this host: make run ARGS="--open-port 8080 --print text"
	@if [ "$$(id -u)" = 0 ]; then exec build/release/waggle $(ARGS); else exec sudo build/release/waggle $(ARGS); fi

build:                ## release build: build/release/waggle
	@tools/setup build
	@cmake --preset release >/dev/null
	@ninja -C build/release -j $(JOBS) waggle

deb:                  ## Debian package: build/release/waggle_*.deb
	@$(MAKE) --no-print-directory build
	@cd build/release && cpack -G DEB

test:                 ## sanitizer build and every test
	@tools/setup test
	@tools/check_layers
	@tools/check_size
	@tools/check_format
	@cmake --preset dev >/dev/null
	@ninja -C build/dev -j $(JOBS)
	@ctest --test-dir build/dev --output-on-failure -j 2 -R "^unit|^kernel.(guest|relocate)"
	@ctest --test-dir build/dev --output-on-failure -j 3 -E "^unit|^kernel.(guest|relocate)"

test-kernels:         ## Debian's 5.10, 6.1 and 6.12 and the newest kernel in reach, in QEMU
	@tools/setup test
	@cmake --preset dev >/dev/null
	@ninja -C build/dev -j $(JOBS)
	@cd tests/kernel && for test in test_relocate test_guest every_kernel; do \
	    WAGGLE_BUILD=$(CURDIR)/build/dev WAGGLE_BINARY=$(CURDIR)/build/dev/waggle python3 $$test.py || exit 1; done

test-shadow-stack: build    ## a processor with shadow stacks, in Bochs
	@tools/setup test
	@cmake --preset dev >/dev/null
	@ninja -C build/dev -j $(JOBS) shadow_stack
	@cd tests/kernel && WAGGLE_BUILD=$(CURDIR)/build/dev WAGGLE_BINARY=$(CURDIR)/build/release/waggle python3 shadow_stack.py

build-arm64:
	@tools/setup arm64
	@cmake --preset arm64 >/dev/null
	@ninja -C build/arm64 -j $(JOBS) $(CROSS)

arm64: build-arm64    ## cross-build for arm64, and its unit tests under qemu-user
	@# qemu-user knows no openat2, by which what is in a process's root is read, and asked for mapped code tells its own; it takes twenty times as long
	@WAGGLE_MOST_SEEDS=4 GTEST_FILTER=-ProcFs.ReadsInsideTheRootOnly:ContainerNamesTest.*:DescribeTest.WholeResource:ProgramName.NodesPackage:MappedCode.IsTheSameByQueryAndByText ctest --test-dir build/arm64 -L unit --output-on-failure -j 1

arm64-boot: arm64     ## the same, and the agent on an arm64 kernel in QEMU
	@cd tests/kernel && python3 arm64_kernel.py

bench:                ## docs/performance.md tells what it measures
	@tools/setup test
	@cmake --preset bench >/dev/null
	@ninja -C build/bench -j $(JOBS)
	@bench/run

soak:                 ## churn, kills, hostile peers for SECONDS (3600); SEED repeats one
	@tools/setup test
	@cmake --preset dev >/dev/null
	@ninja -C build/dev -j $(JOBS) waggle crowd
	@SECONDS=$(or $(SECONDS),3600) SEED=$(SEED) WAGGLE_BUILD=$(CURDIR)/build/dev WAGGLE_BINARY=$${WAGGLE_BINARY:-$(CURDIR)/build/dev/waggle} python3 tests/soak/soak.py

build-fuzz:
	@tools/setup test
	@cmake --preset fuzz >/dev/null
	@ninja -C build/fuzz -j $(JOBS) fuzzers

fuzz: build-fuzz      ## every fuzz target for SECONDS (10) or RUNS inputs
	@tools/fuzz_smoke build/fuzz $(or $(SECONDS),10) $(RUNS)

build-tsan:
	@tools/setup test
	@cmake --preset tsan >/dev/null
	@ninja -C build/tsan -j $(JOBS) $(TSAN_TESTS)

check-tsan: build-tsan ## the unit tests of folders with threads, under the thread sanitizer
	@for test in $(TSAN_TESTS); do echo "$$test"; setarch -R build/tsan/$$test --gtest_brief=1 || exit 1; done

format:               ## clang-format over every C and C++ file
	@tools/setup test
	@git ls-files '*.cc' '*.h' '*.c' | xargs clang-format-19 -i

tidy:                 ## clang-tidy over what differs from BASE (the commit before)
	@tools/setup test
	@cmake --preset dev >/dev/null
	@ninja -C build/dev -j $(JOBS)
	@git diff --name-only --diff-filter=d $(or $(BASE),HEAD~1) -- '*.cc' | xargs -r clang-tidy-19 -p build/dev --quiet

demo: build           ## small real services, load, and the agent on them
	@tools/setup demo
	@tools/demo $(ARGS)

clean:
	@rm -rf build
