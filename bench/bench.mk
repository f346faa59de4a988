# SPDX-License-Identifier: GPL-2.0-or-later
# What bench/run runs beside the product: the baseline, the sender, the driver of the csv output.

bench_tools := $(addprefix $(O)/bench/,baseline/baseline primitives/primitives sender rows)

$(O)/bench/%.bpf.o: bench/%.bpf.c
	@mkdir -p $(@D)
	$(call say,$(CLANG) $(bpf_cflags) -MMD -MP -c $< -o $@,BPF)

.SECONDARY: $(O)/bench/baseline/baseline.bpf.o $(O)/bench/primitives/primitives.bpf.o

$(O)/bench/%.skel.h: $(O)/bench/%.bpf.o
	$(call say,$(BPFTOOL) gen skeleton $< name $(*F)_bpf >$@.new && mv $@.new $@,GEN)

$(O)/bench/baseline/baseline.o: $(O)/bench/baseline/baseline.skel.h
$(O)/bench/primitives/primitives.o: $(O)/bench/primitives/primitives.skel.h

$(O)/bench/baseline/baseline: $(O)/bench/baseline/baseline.o $(O)/bench/baseline/row.o
	$(link)

$(O)/bench/primitives/primitives: $(O)/bench/primitives/primitives.o
	$(link)

$(O)/bench/sender: $(O)/bench/sender.o
	$(link)

$(O)/bench/rows: $(O)/bench/rows.o $(O)/bench/baseline/row.o $(O)/traffic_meter.a
	$(link)

.PHONY: bench-tools
bench-tools: $(bench_tools)

.PHONY: bench
bench: all bench-tools test-tools
	bench/run

-include $(bench_tools:=.d) $(O)/bench/baseline/row.d $(O)/bench/baseline/baseline.bpf.d $(O)/bench/primitives/primitives.bpf.d
