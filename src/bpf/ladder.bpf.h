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

struct recent_table {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METER_RECENT);
	__type(key, __u32);
	__type(value, struct recent_flow);
} recent_a SEC(".maps"), recent_b SEC(".maps");

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
TABLE_SLOT(recent, recent_table, recent_a);
TABLE_SLOT(users, users_table, users_a);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METER_AUDIT_ENTRIES);
	__type(key, __u32);
	__type(value, struct audit_value);
} audit SEC(".maps");

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

static __always_inline void table_add(struct table_value *value, const struct table_value *more)
{
	__sync_fetch_and_add(&value->sum.packets, more->sum.packets);
	__sync_fetch_and_add(&value->sum.bytes, more->sum.bytes);
	if (more->extra_bytes)
		__sync_fetch_and_add(&value->extra_bytes, more->extra_bytes);
	if (!value->first_ns)
		value->first_ns = more->first_ns;
	value->last_ns = more->last_ns;
}

/* Step 2. */
static __always_inline bool ladder_flow(const struct flow_key *key, const struct owner *owner,
					const struct table_value *more)
{
	struct flow_value *flow;

	if (!key->family)
		return false;
	flow = table_entry(&flows, key);
	if (!flow)
		return false;
	/* A server's connection begins before a process was seen using it. */
	if (!flow->value.first_ns || (!flow->owner.program[0] && owner->program[0]))
		flow->owner = *owner;
	table_add(&flow->value, more);
	return true;
}

/* Step 3. */
static __always_inline bool ladder_user(const struct flow_key *flow, const struct table_value *more)
{
	struct user_key key = { .uid = flow->uid, .direction = flow->direction };
	struct table_value *user = table_entry(&users, &key);

	if (!user)
		return false;
	table_add(user, more);
	return true;
}

/* From step 2 on down. */
static __always_inline void ladder_merge(const struct flow_key *flow, const struct owner *owner,
					 const struct table_value *more, struct audit_value *cpu)
{
	if (ladder_flow(flow, owner, more) || ladder_user(flow, more))
		return;
	__sync_fetch_and_add(&cpu->total.packets, more->sum.packets);
	__sync_fetch_and_add(&cpu->total.bytes, more->sum.bytes);
	__sync_fetch_and_add(&cpu->total_extra_bytes, more->extra_bytes);
}

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

/* For a program that is alone on its CPU: among the recent flows, from where what was there before
 * goes to the table. */
static __always_inline bool recent_add(const struct flow_key *flow, const struct owner *owner,
				       const struct table_value *more, struct audit_value *cpu)
{
	struct recent_flow *entry = recent_find(flow);
	struct table_value *value;

	if (!entry || !flow->family)
		return false;
	value = &entry->value.value;
	if (value->sum.packets && !flow_equal(&entry->key, flow)) {
		ladder_merge(&entry->key, &entry->value.owner, value, cpu);
		value->sum.packets = 0;
	}
	if (!value->sum.packets) {
		entry->key = *flow;
		entry->value.owner = *owner;
		*value = *more;
		return true;
	}
	value->sum.packets++;
	value->sum.bytes += more->sum.bytes;
	value->extra_bytes += more->extra_bytes;
	value->last_ns = more->last_ns;
	if (!entry->value.owner.program[0] && owner->program[0])
		entry->value.owner = *owner;
	return true;
}

/* owner: what goes with a record, beside the uid that is charged. */
static __always_inline void ladder_count(const struct packet *packet, const struct owner *owner)
{
	struct table_value more = { .sum = { 1, packet->bytes },
				    .extra_bytes = packet->wire_bytes - packet->bytes };
	__u32 key = packet->flow.direction;
	struct audit_value *cpu = bpf_map_lookup_elem(&audit, &key);
	bool alone;

	if (!cpu) /* never: the key is in the array's range, which only the verifier doubts */
		return;
	__sync_fetch_and_add(&cpu->packets, 1);
	alone = *(volatile __u64 *)&cpu->packets == *(volatile __u64 *)&cpu->ended + 1;
	if (alone)
		*(volatile __u64 *)&cpu->bytes += packet->bytes;
	else
		__sync_fetch_and_add(&cpu->nested_bytes, packet->bytes);

	/* The packet passes; only its record may be too many for a step. Count it on the next, so
	 * that the totals are never short. */
	if (settings.records == METER_RECORDS_FLOW || !ladder_packet(packet, owner, cpu)) {
		more.first_ns = more.last_ns = tick_ns(cpu);
		if (!alone || !recent_add(&packet->flow, owner, &more, cpu))
			ladder_merge(&packet->flow, owner, &more, cpu);
	}
	__sync_fetch_and_add(&cpu->ended, 1);
}

/* What is beside the ladder. */
static __always_inline void ladder_note(enum meter_audit what, __u32 bytes)
{
	__u32 key = what;
	struct audit_value *cpu = bpf_map_lookup_elem(&audit, &key);

	if (!cpu)
		return;
	__sync_fetch_and_add(&cpu->packets, 1);
	__sync_fetch_and_add(&cpu->nested_bytes, bytes);
}

#endif
