/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Step 1 of the ladder: a record in the ring for each packet. */
#ifndef BPF_RING_BPF_H
#define BPF_RING_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "audit.bpf.h"
#include "packet.bpf.h"
#include "settings.bpf.h"
#include "shared.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} packets SEC(".maps");

/* The ring's fill is looked at each so many packets of a CPU and direction, a power of two: the
 * reader's position is on a cache line that the reader writes. */
#define RING_LOOK_PACKETS 32

/* Whether the ring's fill passed another multiple of settings.ring_wake_bytes since it was last looked at from
 * here. Where another CPU saw that too the reader is woken twice; what all miss the timer finds. */
static __always_inline __u64 ring_wake_flag(struct audit_value *cpu)
{
	__u64 mark, before = cpu->ring_mark;

	if (*(volatile __u64 *)&cpu->packets & (RING_LOOK_PACKETS - 1))
		return BPF_RB_NO_WAKEUP;
	mark = bpf_ringbuf_query(&packets, BPF_RB_AVAIL_DATA) / settings.ring_wake_bytes;
	cpu->ring_mark = mark;
	return mark > before ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void ring_fill_head(struct packet_record *head, const struct packet *packet,
					   const struct owner *owner)
{
	head->time_ns = bpf_ktime_get_ns();
	head->owner = *owner;
	head->owner.uid = packet->flow.uid;
	head->bytes = packet->bytes;
	head->wire_bytes = packet->wire_bytes;
	head->ifindex = packet->flow.ifindex;
	head->source_port = packet->flow.source_port;
	head->destination_port = packet->flow.destination_port;
	head->family = packet->flow.family;
	head->protocol = packet->flow.protocol;
	head->direction = packet->flow.direction;
	head->padding = 0;
	head->wire_packets = packet->wire_packets;
}

/* No: there is no room, or the packet has no addresses. */
static __always_inline bool ring_add(const struct packet *packet, const struct owner *owner,
				     struct audit_value *cpu)
{
	const struct flow_key *flow = &packet->flow;

	if (flow->family == 4) {
		struct packet_record_ipv4 *record =
			bpf_ringbuf_reserve(&packets, sizeof(*record), 0);

		if (!record)
			return false;
		ring_fill_head(&record->head, packet, owner);
		record->source = flow->source[0];
		record->destination = flow->destination[0];
		bpf_ringbuf_submit(record, ring_wake_flag(cpu));
		return true;
	}
	if (flow->family == 6) {
		struct packet_record_ipv6 *record =
			bpf_ringbuf_reserve(&packets, sizeof(*record), 0);

		if (!record)
			return false;
		ring_fill_head(&record->head, packet, owner);
		__builtin_memcpy(record->source, flow->source, sizeof(record->source));
		__builtin_memcpy(record->destination, flow->destination,
				 sizeof(record->destination));
		bpf_ringbuf_submit(record, ring_wake_flag(cpu));
		return true;
	}
	return false;
}

#endif
