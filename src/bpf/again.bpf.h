/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that come to a hook a second time, as what a tunnel has made of them. What was sent into the tunnel
 * was counted there, with the ends that its sender had in mind; what carries it is not counted again.
 */
#ifndef BPF_AGAIN_BPF_H
#define BPF_AGAIN_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "settings.bpf.h"
#include "socket.bpf.h"

#define IPSEC_UDP_PORT 4500 /* RFC 3948 */

static __always_inline const struct sk_buff *again_kernels(struct __sk_buff *skb)
{
	/* The verifier lets nobody look behind its own view of it; spilled and read back it is a number. */
	struct __sk_buff *volatile slot = skb;
	const struct sk_buff *raw;

	bpf_probe_read_kernel(&raw, sizeof(raw), (void *)&slot);
	return raw;
}

/* A device, xfrm's or vti's, was given it before: at the first one the kernel notes the CPU. What IPsec
 * wraps without an interface of its own was not seen before, and counts. */
static __noinline bool again_sent(struct __sk_buff *skb)
{
	const struct sk_buff *raw = again_kernels(skb);

	return bpf_core_field_exists(raw->sender_cpu) && BPF_CORE_READ(raw, sender_cpu);
}

/* The packet, that leaves by a cgroup's hook, is IPsec's, and what it wraps was counted: it bears its
 * sender's socket still. Nearly all packets are told by their protocol. */
static __always_inline bool again_ipsec(struct __sk_buff *skb, const struct packet *packet,
					__u64 socket, enum meter_direction direction)
{
	const struct flow_key *flow = &packet->flow;

	if (likely(flow->protocol == IPPROTO_TCP) || settings.no_types)
		return false;
	if (flow->protocol == IPPROTO_UDP) {
		if (socket & SOCKET_DATAGRAM &&
		    likely(flow->destination_port != bpf_htons(IPSEC_UDP_PORT)))
			return false;
	} else if (flow->protocol != IPPROTO_ESP && flow->protocol != IPPROTO_AH) {
		return false;
	}
	return direction == METER_OUT && again_sent(skb);
}

/* A frame of a packet socket that vxlan and the like have wrapped. */
static __noinline bool again_frame(struct __sk_buff *skb)
{
	return !settings.no_types && BPF_CORE_READ(again_kernels(skb), inner_network_header);
}

#endif
