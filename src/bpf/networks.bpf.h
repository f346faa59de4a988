/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a packet is between untracked networks. User space fills the set that is not active and
 * then makes it active by one store, so that a packet is judged by one whole list: `active` is
 * read once for each packet.
 */
#ifndef BPF_NETWORKS_BPF_H
#define BPF_NETWORKS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "shared.h"

const volatile __u32 networks_match = METER_MATCH_BOTH;

struct networks_control networks_control;

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
					       const __u8 *address)
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
					  const struct packet *packet, bool source)
{
	if (packet->family == 4)
		return networks_hold_ipv4(set, active,
					  source ? packet->ipv4.source : packet->ipv4.destination);
	return networks_hold_ipv6(set, active,
				  source ? packet->ipv6.source : packet->ipv6.destination);
}

static __always_inline bool networks_untracked(const struct packet *packet,
					       enum meter_direction direction)
{
	__u32 active = *(volatile __u32 *)&networks_control.active & (NETWORKS_SETS - 1);
	const struct networks_set *set = &networks_control.sets[active];

	if (!packet->family)
		return false;
	switch (networks_match) {
	case METER_MATCH_EITHER:
		return networks_hold(set, active, packet, true) ||
		       networks_hold(set, active, packet, false);
	case METER_MATCH_REMOTE:
		return networks_hold(set, active, packet, direction == METER_IN);
	default:
		return networks_hold(set, active, packet, true) &&
		       networks_hold(set, active, packet, false);
	}
}

#endif
