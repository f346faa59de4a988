// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel half: two hooks, one body. Each packet of a metered cgroup, of either family, goes
 *
 *	interfaces, packet (what it says), networks (does it count) -> owner (whose) -> ladder (sums)
 *
 * and passes, whatever comes of that.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "interfaces.bpf.h"
#include "ladder.bpf.h"
#include "networks.bpf.h"
#include "owner.bpf.h"
#include "packet.bpf.h"
#include "shared.h"
#include "socket.bpf.h"

#define PACKET_PASSES 1

static __always_inline int meter(struct __sk_buff *skb, enum meter_direction direction)
{
	const struct networks_set *set;
	struct remembered *kept = 0;
	struct bpf_sock *sk = 0;
	struct packet packet;
	struct owner owner;
	__u32 active;

	if (!interfaces_metered(skb))
		return PACKET_PASSES;
	packet_parse(skb, &packet);
	active = networks_active();
	set = &networks_control.sets[active];
	if (owner_policy != METER_OWNER_SOCKET || networks_any(set)) {
		sk = socket_of(skb);
		kept = sk ? socket_remember(sk) : 0;
	}
	if (networks_untracked(set, active, &packet, direction, kept))
		return PACKET_PASSES;
	owner_find(skb, sk, kept, direction, &owner);
	ladder_count(skb, &packet, &owner, direction);
	return PACKET_PASSES;
}

SEC("cgroup_skb/ingress")
int meter_ingress(struct __sk_buff *skb)
{
	return meter(skb, METER_IN);
}

SEC("cgroup_skb/egress")
int meter_egress(struct __sk_buff *skb)
{
	return meter(skb, METER_OUT);
}

char LICENSE[] SEC("license") = "GPL";
