/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In front of the flow table, for each CPU: the flows of the last packets. The next packet of one of them
 * costs no look-up and no atomic addition; what is pushed out goes to the table. For a program that is
 * alone on its CPU. Drained as the tables are, and just before them.
 */
#ifndef BPF_RECENT_BPF_H
#define BPF_RECENT_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "shared.h"
#include "tables.bpf.h"

struct recent_table {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METER_RECENT);
	__type(key, __u32);
	__type(value, struct recent_flow);
} recent_a SEC(".maps"), recent_b SEC(".maps");

TABLE_SLOT(recent, recent_table, recent_a);

static __always_inline struct recent_flow *recent_find(const struct flow_key *flow)
{
	__u32 half = METER_RECENT / METER_DIRECTIONS, slot = 0, index;
	void *table = bpf_map_lookup_elem(&recent, &slot);

	index = flow->source[0] ^ flow->destination[0] ^ flow->source_port ^
		flow->destination_port << 3;
	index ^= index >> 16;
	index ^= index >> 8;
	index = flow->direction * half + (index & (half - 1));
	return table ? bpf_map_lookup_elem(table, &index) : 0;
}

static __always_inline bool flow_equal(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		 (x[5] ^ y[5]));
}

/* No: there is no table, or the packet has no addresses. */
static __always_inline bool recent_add(const struct flow_key *flow, const struct owner *owner,
				       const struct table_value *more, __u64 extra_packets,
				       struct audit_value *cpu)
{
	struct recent_flow *entry = recent_find(flow);
	struct table_value *value;

	if (!entry || !flow->family)
		return false;
	value = &entry->value.value;
	if (value->sum.packets && !flow_equal(&entry->key, flow)) {
		tables_merge(&entry->key, &entry->value.owner, value, entry->value.extra_packets,
			     cpu);
		value->sum.packets = 0;
	}
	if (!value->sum.packets) {
		entry->key = *flow;
		entry->value.owner = *owner;
		*value = *more;
		entry->value.extra_packets = extra_packets;
		return true;
	}
	value->sum.packets++;
	value->sum.bytes += more->sum.bytes;
	value->extra_bytes += more->extra_bytes;
	entry->value.extra_packets += extra_packets;
	value->last_ns = more->last_ns;
	if (!entry->value.owner.program[0] && owner->program[0])
		entry->value.owner = *owner;
	return true;
}

#endif
