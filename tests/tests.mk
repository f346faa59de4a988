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

# The program as it is on lesser kernels: what asks for a feature is compiled anew, the rest is shared.
lesser_features := btf skc_to_tcp_sock task_btf tcx bpffs landlock
lesser_sources := $(shell grep -lE '"(util/test_features|capture/features)\.h"' $(sources))

define lesser_program
$(O)/lesser/$(1)/%.o: %.c Makefile | $(O)/traffic_meter.skel.h
	@mkdir -p $$(@D)
	$$(call say,$$(CC) $$(all_cflags) -DTEST_FEATURES_OFF=$(1) -MMD -MP -c $$< -o $$@,CC)

# The archive gives what is still undefined.
$(O)/lesser/$(1)/traffic-meter: $(lesser_sources:%.c=$(O)/lesser/$(1)/%.o) $(O)/src/main.o $(O)/traffic_meter.a
	$$(link)

-include $(lesser_sources:%.c=$(O)/lesser/$(1)/%.d)
endef
$(foreach feature,$(lesser_features),$(eval $(call lesser_program,$(feature))))

.PHONY: lesser
lesser: $(lesser_features:%=$(O)/lesser/%/traffic-meter)

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

$(O)/tests/tools/spool: $(O)/tests/tools/spool.o $(O)/traffic_meter.a
	$(CC) $(all_ldflags) -o $@ $^ $(library_libs) -lpthread

$(O)/tests/tools/bpf_other: tests/tools/bpf_other.c
	@mkdir -p $(@D)
	$(CC) $(all_cflags) $(all_ldflags) -o $@ $< $(library_libs)

$(O)/tests/tools/%.so: tests/tools/%.c
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -shared -fPIC -o $@ $<

.PHONY: test-tools
test-tools: $(O)/tests/tools/traffic $(O)/tests/tools/race $(O)/tests/tools/spool $(O)/tests/tools/bpf_other

# Static analysis, a target a tool; part of the suite lint.
analyzers := clang-tidy clang-tidy-bpf cppcheck gcc

.PHONY: analyze $(analyzers:%=analyze-%)
analyze: $(analyzers:%=analyze-%)

analyze-clang-tidy-bpf:
	tests/lint/analyze clang-tidy-bpf $(bpf_cflags)

$(filter-out %-bpf,$(analyzers:%=analyze-%)): analyze-%: $(O)/traffic_meter.skel.h
	tests/lint/analyze $* $(all_cflags) -DNOT_BUILT='""'

.PHONY: coverage
coverage:
	tests/coverage/run

.PHONY: check
check: all
	tests/run

check-%: all
	tests/run $*

-include $(unit_tests:=.d) $(bpf_tests:=.d) $(O)/tests/tools/race.d $(O)/tests/tools/spool.d
