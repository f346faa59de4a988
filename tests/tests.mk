# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests are built of; tests/run runs them.

# Unit tests: a program a file, against the archive.
unit_tests := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))

$(O)/tests/unit/%: $(O)/tests/unit/%.o $(O)/traffic_meter.a
	$(CC) $(all_ldflags) -o $@ $^ $(library_libs) -lcmocka -lpthread

.PHONY: unit-tests
unit-tests: $(unit_tests) $(O)/ipmask_tool

# BPF tests: likewise, with the real programs loaded (root).
bpf_tests := $(patsubst tests/bpf/%.c,$(O)/tests/bpf/%,$(wildcard tests/bpf/test_*.c))

$(bpf_tests:=.o): $(O)/traffic_meter.skel.h

$(O)/tests/bpf/%: $(O)/tests/bpf/%.o $(O)/traffic_meter.a
	$(CC) $(all_ldflags) -o $@ $^ $(library_libs) -lcmocka -lpthread

.PHONY: bpf-tests
bpf-tests: $(bpf_tests)

# Fuzzers: clang's libFuzzer with the sources compiled in.
FUZZ_CFLAGS := -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
fuzzers := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(O)/tests/fuzz/%: tests/fuzz/%.c $(sources) $(O)/traffic_meter.skel.h
	@mkdir -p $(@D)
	$(CLANG) -std=gnu11 -D_GNU_SOURCE -DVERSION='"fuzz"' $(FUZZ_CFLAGS) -Iinclude -Isrc -I$(O) $(library_cflags) -o $@ \
		$< $(sources) $(library_libs) -lpthread

.PHONY: fuzzers
fuzzers: $(fuzzers)

# Programs that tests and bench run.
$(O)/tests/tools/traffic: $(wildcard tests/tools/traffic*.[ch])
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -static -o $@ $(filter %.c,$^)

$(O)/tests/tools/race: $(O)/tests/tools/race.o $(O)/traffic_meter.a
	$(CC) $(all_ldflags) -o $@ $^ $(library_libs) -lpthread

.PHONY: test-tools
test-tools: $(O)/tests/tools/traffic $(O)/tests/tools/race

.PHONY: check
check: all
	tests/run

check-%: all
	tests/run $*

-include $(unit_tests:=.d) $(bpf_tests:=.d) $(O)/tests/tools/race.d
