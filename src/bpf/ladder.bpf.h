/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ladder: a packet is counted on the highest step that has room for it, so what overload costs
 * is detail, never bytes.
 *
 *	1 packet	a record in the ring; only where packet records are wanted	ring.bpf.h
 *	2 flow		a sum by uid, direction, protocol, both ends, interface		recent.bpf.h, tables.bpf.h
 *	3 user		a sum by uid and direction					tables.bpf.h
 *	4 total		a sum by direction, which always has room			audit.bpf.h
 */
#ifndef BPF_LADDER_BPF_H
#define BPF_LADDER_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "audit.bpf.h"
#include "packet.bpf.h"
#include "recent.bpf.h"
#include "ring.bpf.h"
#include "settings.bpf.h"
#include "shared.h"
#include "tables.bpf.h"

static __always_inline void ladder_sum_up(const struct packet *packet, const struct owner *owner,
					  bool alone, struct audit_value *cpu)
{
	__u64 now_ns = tick_ns(cpu);
	struct table_value more = {
		.sum = { .packets = 1, .bytes = packet->bytes },
		.extra_bytes = packet->wire_bytes - packet->bytes,
		.first_ns = now_ns,
		.last_ns = now_ns,
	};

	if (!alone || !recent_add(&packet->flow, owner, &more, packet->wire_packets - 1, cpu))
		tables_merge(&packet->flow, owner, &more, packet->wire_packets - 1, cpu);
}

/* owner: what goes with a record, beside the uid that is charged. */
static __always_inline void ladder_count(const struct packet *packet, const struct owner *owner)
{
	__u32 key = packet->flow.direction;
	struct audit_value *cpu = bpf_map_lookup_elem(&audit, &key);
	bool alone;

	if (!cpu) /* never: the key is in the array's range, which only the verifier doubts */
		return;
	alone = audit_begin(cpu, packet->bytes);

	/* The packet passes; only its record may be too many for a step. Count it on the next, so
	 * that the totals are never short. */
	if (settings.records == METER_RECORDS_FLOW || !ring_add(packet, owner, cpu))
		ladder_sum_up(packet, owner, alone, cpu);
	audit_end(cpu, alone);
}

#endif
