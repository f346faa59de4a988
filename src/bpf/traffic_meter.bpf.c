// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel half: a program for two hooks of a cgroup, one for the interfaces', one body. Each packet of
 * a metered cgroup, of either family and way, goes
 *
 *	interfaces, socket, packet (what it says), networks (does it count) -> owner (whose) -> ladder (sums)
 *
 * and passes, whatever comes of that. At the interfaces that is done for frames of packet sockets,
 * which no cgroup hook sees.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "again.bpf.h"
#include "audit.bpf.h"
#include "frames.bpf.h"
#include "interfaces.bpf.h"
#include "ladder.bpf.h"
#include "networks.bpf.h"
#include "owner.bpf.h"
#include "packet.bpf.h"
#include "settings.bpf.h"
#include "shared.h"
#include "socket.bpf.h"

#define PACKET_PASSES 1
#define FRAME_PASSES  (-1) /* TC_ACT_UNSPEC, TCX_NEXT: as if we were not there */

/* start: where the IP header is. */
static __always_inline void meter(struct __sk_buff *skb, struct bpf_sock *sk, __u32 start,
				  __be16 protocol, enum meter_direction direction)
{
	__u64 socket;
	struct remembered *kept = socket_remember(skb, sk, &socket);
	const struct owner *owner;
	struct owner room;
	struct packet packet;

	if ((settings.skip_nested && socket & SOCKET_NESTED) || !interfaces_metered(skb, socket))
		return;
	packet_parse(skb, start, protocol, direction, &packet);
	if (socket & SOCKET_ELSEWHERE)
		packet.flow.ifindex = 0;
	if (networks_untracked(&packet.flow, direction, kept) ||
	    again_ipsec(skb, &packet, socket, direction))
		return;
	owner = owner_find(skb, sk, kept, socket, direction, &room, &packet.flow.uid);
	ladder_count(&packet, owner);
	if (unlikely(!kept))
		audit_note(METER_AUDIT_UNREMEMBERED, packet.bytes);
}

_Static_assert(METER_IN == METER_OUT - 1, "direction_of() is arithmetic");

/* The kernel notes the interface on a packet when it receives it; what a socket makes has none. Made without
 * a branch, so that the verifier has one path to walk and not two. */
static __always_inline enum meter_direction direction_of(struct __sk_buff *skb)
{
	__u64 received = (skb->ingress_ifindex + 0xffffffffull) >> 32;

	barrier_var(received);
	return METER_OUT - received;
}

/* At both hooks: a packet that stays on the machine finds the program in the cache the second time. */
SEC("cgroup/skb")
int meter_packets(struct __sk_buff *skb)
{
	struct bpf_sock *sk;

	if (!interfaces_none(skb) && (sk = socket_of(skb)))
		meter(skb, sk, 0, skb->protocol, direction_of(skb));
	return PACKET_PASSES;
}

/* At the egress of an interface. The family is looked at first: nearly all frames are of others. */
SEC("tc")
int meter_frames(struct __sk_buff *skb)
{
	struct bpf_sock *sk = socket_of(skb);
	__be16 protocol;
	__u32 start;

	if (skb->sk && (!sk || sk->family != AF_PACKET))
		return FRAME_PASSES;
	if (frame_payload(skb, &start, &protocol))
		return FRAME_PASSES;
	if (!sk && frame_is_ip(protocol))
		audit_note(METER_AUDIT_FORWARDED, skb->len - start);
	else if (sk && frame_is_metered(skb) && !again_frame(skb))
		meter(skb, sk, start, protocol, METER_OUT);
	return FRAME_PASSES;
}

char LICENSE[] SEC("license") = "GPL";
