/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ladder: a packet is counted on the highest step that has room for it, so what overload costs
 * is detail, never bytes.
 *
 *	1 packet	a record in the ring; only where packet records are wanted
 *	2 flow		a sum by uid, direction, protocol, both ends, interface
 *	3 user		a sum by uid and direction
 *	4 total		a sum by direction, which always has room
 *
 * The tables of steps 2 and 3 are drained by user space putting another, empty one in their place:
 * when that call returns no program writes the retired one any more.
 */
#ifndef BPF_LADDER_BPF_H
#define BPF_LADDER_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "settings.bpf.h"
#include "shared.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} packets SEC(".maps");

/* The sizes are set at load time. */
struct flows_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} flows_a SEC(".maps"), flows_b SEC(".maps");

struct users_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct user_key);
	__type(value, struct table_value);
} users_a SEC(".maps"), users_b SEC(".maps");

/* The one slot names the table in use. */
#define TABLE_SLOT(name, table, initial)                  \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, 1);                   \
		__uint(key_size, sizeof(__u32));          \
		__array(values, struct table);            \
	} name SEC(".maps") = { .values = { &initial } }

TABLE_SLOT(flows, flows_table, flows_a);
TABLE_SLOT(users, users_table, users_a);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METER_AUDIT_ENTRIES);
	__type(key, __u32);
	__type(value, struct audit_value);
} audit SEC(".maps");

static __always_inline void sum_add(struct meter_sum *sum, __u32 bytes)
{
	__sync_fetch_and_add(&sum->packets, 1);
	__sync_fetch_and_add(&sum->bytes, bytes);
}

/* The ring's fill is looked at each so many packets of a CPU and direction, a power of two: the
 * reader's position is on a cache line that the reader writes. */
#define RING_LOOK_PACKETS 32

/* Whether the ring's fill passed another multiple of settings.ring_wake_bytes since it was last looked at from
 * here. Where another CPU saw that too the reader is woken twice; what all miss the timer finds. */
static __always_inline __u64 ring_wake_flag(struct audit_value *cpu)
{
	__u64 mark, before = cpu->ring_mark;

	if (*(volatile __u64 *)&cpu->counted.packets & (RING_LOOK_PACKETS - 1))
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
	__builtin_memset(head->padding, 0, sizeof(head->padding));
}

/* Step 1. */
static __always_inline bool ladder_packet(const struct packet *packet, const struct owner *owner,
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

/* What a new entry is made as, so that it need not be made on the stack. */
const struct flow_value table_zero = { 0 };

/* The entry of the table in use, made if it is new. NULL: the table is full, or its lock is held by this
 * very CPU below us. */
static __always_inline void *table_entry(void *slots, const void *key)
{
	__u32 slot = 0;
	void *value, *table = bpf_map_lookup_elem(slots, &slot);

	if (!table)
		return 0;
	value = bpf_map_lookup_elem(table, key);
	if (value)
		return value;
	/* Another CPU may have been quicker: then its entry is the one to add to. */
	bpf_map_update_elem(table, key, &table_zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(table, key);
}

static __always_inline void table_add(struct table_value *value, const struct packet *packet,
				      __u64 now_ns)
{
	sum_add(&value->sum, packet->bytes);
	if (packet->wire_bytes != packet->bytes)
		__sync_fetch_and_add(&value->extra_bytes, packet->wire_bytes - packet->bytes);
	if (!value->first_ns)
		value->first_ns = now_ns;
	value->last_ns = now_ns;
}

/* Step 2. */
static __always_inline bool ladder_flow(const struct packet *packet, const struct owner *owner,
					__u64 now_ns)
{
	struct flow_value *flow;

	if (!packet->flow.family)
		return false;
	flow = table_entry(&flows, &packet->flow);
	if (!flow)
		return false;
	/* A server's connection begins before a process was seen using it. */
	if (!flow->value.first_ns || (!flow->owner.program[0] && owner->program[0]))
		flow->owner = *owner;
	table_add(&flow->value, packet, now_ns);
	return true;
}

/* Step 3. */
static __always_inline bool ladder_user(const struct packet *packet, __u64 now_ns)
{
	struct user_key key = { .uid = packet->flow.uid, .direction = packet->flow.direction };
	struct table_value *user = table_entry(&users, &key);

	if (!user)
		return false;
	table_add(user, packet, now_ns);
	return true;
}

/* owner: what goes with a record, beside the uid that is charged. */
static __always_inline void ladder_count(const struct packet *packet, const struct owner *owner)
{
	__u32 key = packet->flow.direction;
	struct audit_value *cpu = bpf_map_lookup_elem(&audit, &key);
	__u64 now_ns;

	if (!cpu) /* never: the key is in the array's range, which only the verifier doubts */
		return;
	sum_add(&cpu->counted, packet->bytes);

	/* The packet passes; only its record may be too many for a step. Count it on the next, so
	 * that the totals are never short. */
	if (settings.records == METER_RECORDS_PACKET && ladder_packet(packet, owner, cpu))
		return;
	now_ns = tick_ns(cpu);
	if (ladder_flow(packet, owner, now_ns) || ladder_user(packet, now_ns))
		return;
	sum_add(&cpu->total, packet->bytes);
	__sync_fetch_and_add(&cpu->total_extra_bytes, packet->wire_bytes - packet->bytes);
}

/* What is beside the ladder. */
static __always_inline void ladder_note(enum meter_audit what, __u32 bytes)
{
	__u32 key = what;
	struct audit_value *cpu = bpf_map_lookup_elem(&audit, &key);

	if (cpu)
		sum_add(&cpu->counted, bytes);
}

#endif
