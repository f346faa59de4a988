/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames that leave by an interface past the cgroup hooks: those of packet sockets, which are counted
 * as any other packet is, and forwarded ones, which are no user's.
 */
#ifndef BPF_FRAMES_BPF_H
#define BPF_FRAMES_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "shared.h"

#define AF_PACKET    17
#define ETH_P_8021Q  0x8100
#define ETH_P_8021AD 0x88a8
#define VLAN_TAGS    2

/* By index: the size of the link's header before the EtherType's payload, 14 for Ethernet. User space
 * keeps it in step. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, METER_LINKS_MAX);
	__type(key, __u32);
	__type(value, __u32);
} links SEC(".maps");

/* The metered cgroup, whose sockets' frames count. */
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} frames_cgroup SEC(".maps");

static __always_inline bool frame_is_metered(struct __sk_buff *skb)
{
	return bpf_skb_under_cgroup(skb, &frames_cgroup, 0) == 1;
}

/* Where a frame's payload starts, and what it is: 0; or -1, as nothing that we know. */
static __always_inline int frame_payload(struct __sk_buff *skb, __u32 *ret_start,
					 __be16 *ret_protocol)
{
	__u32 ifindex = skb->ifindex, *header = bpf_map_lookup_elem(&links, &ifindex);
	__be16 tag[2], protocol = skb->protocol;
	__u32 start;

	if (!header || *header > skb->len)
		return -1;
	start = *header;
	for (int i = 0; i < VLAN_TAGS; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if (bpf_skb_load_bytes(skb, start, tag, sizeof(tag)))
			return -1;
		protocol = tag[1];
		start += sizeof(tag);
	}
	*ret_start = start & 0xff; /* a bound for the verifier */
	*ret_protocol = protocol;
	return 0;
}

static __always_inline bool frame_is_ip(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_IP) || protocol == bpf_htons(ETH_P_IPV6);
}

#endif
