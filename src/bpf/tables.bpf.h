/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps 2 and 3 of the ladder: sums by flow, and by user. User space drains a table by putting another,
 * empty one in its place: when that call returns no program writes the retired one any more.
 */
#ifndef BPF_TABLES_BPF_H
#define BPF_TABLES_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "audit.bpf.h"
#include "shared.h"

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
	__type(value, struct user_value);
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
	/* Sums come here in another order than their packets did. */
	if (!value->first_ns || more->first_ns < value->first_ns)
		value->first_ns = more->first_ns;
	if (more->last_ns > value->last_ns)
		value->last_ns = more->last_ns;
}

/* Step 2. */
static __always_inline bool tables_add_flow(const struct flow_key *key, const struct owner *owner,
					    const struct table_value *more, __u64 extra_packets)
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
	if (extra_packets)
		__sync_fetch_and_add(&flow->extra_packets, extra_packets);
	return true;
}

/* Step 3. */
static __always_inline bool tables_add_user(const struct flow_key *flow,
					    const struct table_value *more, __u64 extra_packets)
{
	struct user_key key = { .uid = flow->uid, .direction = flow->direction };
	struct user_value *user = table_entry(&users, &key);

	if (!user)
		return false;
	table_add(&user->value, more);
	if (extra_packets)
		__sync_fetch_and_add(&user->extra_packets, extra_packets);
	return true;
}

/* From step 2 on down. */
static __always_inline void tables_merge(const struct flow_key *flow, const struct owner *owner,
					 const struct table_value *more, __u64 extra_packets,
					 struct audit_value *cpu)
{
	if (!tables_add_flow(flow, owner, more, extra_packets) &&
	    !tables_add_user(flow, more, extra_packets))
		audit_add_total(cpu, more, extra_packets);
}

#endif
