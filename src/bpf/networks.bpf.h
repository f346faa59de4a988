/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a packet is between untracked networks. User space fills the set that is not active and
 * then makes it active by one store, so that a packet is judged by one whole list: `active` is
 * read once for each packet. The verdict on a socket's peer is remembered with the socket, so that the
 * length of the list costs a connected one nothing.
 */
#ifndef BPF_NETWORKS_BPF_H
#define BPF_NETWORKS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "settings.bpf.h"
#include "shared.h"
#include "socket.bpf.h"

struct networks_control networks_control;

/* Random, odd: set before the programs are loaded. */
const volatile __u64 networks_secret[8] = { 1 };

/* The sizes are those of an empty list. A longer one comes in a larger table, which kernels
 * before 5.10 refuse in this place. */
struct networks_ipv4_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NETWORKS_TEMPLATE);
	__type(key, struct network_ipv4_key);
	__type(value, __u8);
} networks_ipv4_empty SEC(".maps");

struct networks_ipv6_trie {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NETWORKS_TEMPLATE);
	__type(key, struct network_ipv6_key);
	__type(value, __u8);
} networks_ipv6_empty SEC(".maps");

struct networks_masked_table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NETWORKS_MASKED_TEMPLATE);
	__type(key, struct network_masked_key);
	__type(value, __u8);
} networks_masked_empty SEC(".maps");

#define NETWORKS_OUTER(name, inner, initial)              \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); \
		__uint(max_entries, NETWORKS_SETS);       \
		__uint(key_size, sizeof(__u32));          \
		__array(values, struct inner);            \
	} name SEC(".maps") = { .values = { &initial, &initial } }

NETWORKS_OUTER(networks_ipv4, networks_ipv4_trie, networks_ipv4_empty);
NETWORKS_OUTER(networks_ipv6, networks_ipv6_trie, networks_ipv6_empty);
NETWORKS_OUTER(networks_masked, networks_masked_table, networks_masked_empty);

static __always_inline bool networks_hold_masked(const struct networks_set *set, __u32 active,
						 __be32 address)
{
	void *table = bpf_map_lookup_elem(&networks_masked, &active);

	if (!table)
		return false;
	for (__u32 i = 0; i < NETWORKS_MASKS_MAX && i < set->masks; i++) {
		struct network_masked_key key = { .mask = set->mask[i] };

		key.address = address & key.mask;
		if (bpf_map_lookup_elem(table, &key))
			return true;
	}
	return false;
}

static __always_inline bool networks_hold_ipv4(const struct networks_set *set, __u32 active,
					       __be32 address)
{
	struct network_ipv4_key key = { .prefix_length = 32, .address = address };
	void *trie;

	if (set->ipv4) {
		trie = bpf_map_lookup_elem(&networks_ipv4, &active);
		if (trie && bpf_map_lookup_elem(trie, &key))
			return true;
	}
	return set->masks && networks_hold_masked(set, active, address);
}

static __always_inline bool networks_hold_ipv6(const struct networks_set *set, __u32 active,
					       const __be32 *address)
{
	struct network_ipv6_key key = { .prefix_length = 128 };
	void *trie;

	if (!set->ipv6)
		return false;
	__builtin_memcpy(key.address, address, sizeof(key.address));
	trie = bpf_map_lookup_elem(&networks_ipv6, &active);
	return trie && bpf_map_lookup_elem(trie, &key);
}

static __always_inline bool networks_hold(const struct networks_set *set, __u32 active,
					  const struct flow_key *flow, bool source)
{
	if (flow->family == 4)
		return networks_hold_ipv4(set, active,
					  source ? flow->source[0] : flow->destination[0]);
	return networks_hold_ipv6(set, active, source ? flow->source : flow->destination);
}

/* Its answer is remembered with the socket, so few packets come here: a function of its own. */
static __noinline bool networks_judge(const struct networks_set *set, __u32 active,
				      const struct flow_key *flow, enum meter_direction direction)
{
	switch (settings.match) {
	case METER_MATCH_EITHER:
		return networks_hold(set, active, flow, true) ||
		       networks_hold(set, active, flow, false);
	case METER_MATCH_REMOTE:
		return networks_hold(set, active, flow, direction == METER_IN);
	default:
		return networks_hold(set, active, flow, true) &&
		       networks_hold(set, active, flow, false);
	}
}

/* Multilinear, with secret factors: nobody can choose two addresses that collide. */
static __always_inline __u64 networks_hash(const struct flow_key *flow, bool source,
					   const volatile __u64 *secret)
{
	__u32 part[4];

	if (flow->family == 4)
		return secret[0] * (source ? flow->source[0] : flow->destination[0]);
	__builtin_memcpy(part, source ? flow->source : flow->destination, sizeof(part));
	return secret[0] * part[0] + secret[1] * part[1] + secret[2] * part[2] +
	       secret[3] * part[3];
}

/* The word of a verdict without its bit: a hash of the socket's own end and the peer's, whichever way
 * the packet goes, and the generation of the list. */
static __always_inline __u64 networks_verdict_key(const struct networks_set *set,
						  const struct flow_key *flow,
						  enum meter_direction direction)
{
	bool in = direction == METER_IN;
	__u64 hash = networks_hash(flow, in, networks_secret) +
		     networks_hash(flow, !in, networks_secret + 4);

	return (hash & ~0xffffffull) | (set->generation & 0x7fffff) << 1;
}

static __always_inline bool networks_any(const struct networks_set *set)
{
	return set->ipv4 || set->ipv6 || set->masks;
}

/* The verdict on the two ends of a socket's last packet is remembered with it: a connected socket has
 * no others, and one that is not mostly talks to the same peer for a while. Where 40 bits of hash
 * are equal for different ends, once in 10^12 changes of the peer, a packet is judged as the last. */
static __always_inline bool networks_untracked(const struct flow_key *flow,
					       enum meter_direction direction,
					       struct remembered *kept)
{
	const struct networks_set *set;
	bool untracked;
	__u32 active;
	__u64 key;

	if (!settings.networks || !flow->family)
		return false;
	/* Read once for each packet: what it says then holds for the packet to the end. */
	active = *(volatile __u32 *)&networks_control.active & (NETWORKS_SETS - 1);
	set = &networks_control.sets[active];
	if (!networks_any(set))
		return false;
	key = networks_verdict_key(set, flow, direction);
	if (kept && (kept->verdict & ~1ull) == key)
		return kept->verdict & 1;
	untracked = networks_judge(set, active, flow, direction);
	if (kept)
		kept->verdict = key | untracked;
	return untracked;
}

#endif
