/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is counted per CPU: all that the hooks took on, so that user space can hold its records against
 * it, step 4 of the ladder, and what is beside the ladder.
 */
#ifndef BPF_AUDIT_BPF_H
#define BPF_AUDIT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "shared.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METER_AUDIT_ENTRIES);
	__type(key, __u32);
	__type(value, struct audit_value);
} audit SEC(".maps");

/* Returns whether this program is alone on its CPU, and the ladder may do without atomic additions. Who has
 * ended is read first: what begins and ends later then makes it take itself for not alone, and never for
 * alone beside another. tests/unit/test_alone.c goes through all orders of the steps. */
static __always_inline bool audit_begin(struct audit_value *cpu, __u32 bytes)
{
	const volatile struct audit_value *now = cpu;
	__u64 ended = now->ended + now->nested_ended;
	bool alone;

	__sync_fetch_and_add(&cpu->packets, 1);
	alone = now->packets == ended + 1;
	if (alone)
		cpu->bytes += bytes;
	else
		__sync_fetch_and_add(&cpu->nested_bytes, bytes);
	return alone;
}

static __always_inline void audit_end(struct audit_value *cpu, bool alone)
{
	barrier(); /* what was added is added before another is alone */
	if (alone)
		cpu->ended++;
	else
		__sync_fetch_and_add(&cpu->nested_ended, 1);
}

/* Step 4: no users, no limits. */
static __always_inline void audit_add_total(struct audit_value *cpu, const struct table_value *more,
					    __u64 extra_packets)
{
	__sync_fetch_and_add(&cpu->total.packets, more->sum.packets);
	__sync_fetch_and_add(&cpu->total.bytes, more->sum.bytes);
	__sync_fetch_and_add(&cpu->total_extra_bytes, more->extra_bytes);
	__sync_fetch_and_add(&cpu->total_extra_packets, extra_packets);
}

/* What is beside the ladder. */
static __always_inline void audit_note(enum meter_audit what, __u32 bytes)
{
	__u32 key = what;
	struct audit_value *cpu = bpf_map_lookup_elem(&audit, &key);

	if (!cpu)
		return;
	__sync_fetch_and_add(&cpu->packets, 1);
	__sync_fetch_and_add(&cpu->nested_bytes, bytes);
}

/* The kernel's clock, read once a tick: each reading costs as much as looking up the user. The time
 * is written before the tick that it is of: a softirq in between then reads the clock itself. */
static __always_inline __u64 tick_ns(struct audit_value *cpu)
{
	__u64 tick = bpf_jiffies64();

	if (*(volatile __u64 *)&cpu->tick != tick) {
		*(volatile __u64 *)&cpu->tick_ns = bpf_ktime_get_ns();
		*(volatile __u64 *)&cpu->tick = tick;
	}
	return cpu->tick_ns;
}

#endif
