/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which interfaces count. User space keeps the table in step with interfaces that come and go. */
#ifndef BPF_INTERFACES_BPF_H
#define BPF_INTERFACES_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "settings.bpf.h"
#include "shared.h"
#include "socket.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, METER_INTERFACES_MAX);
	__type(key, __u32);
	__type(value, __u8);
} interfaces SEC(".maps");

static __always_inline bool interfaces_hold(__u32 ifindex)
{
	return bpf_map_lookup_elem(&interfaces, &ifindex);
}

/* Before the socket is looked at: no packet of that interface counts, whatever the socket. */
static __always_inline bool interfaces_none(struct __sk_buff *skb)
{
	return settings.interfaces == METER_INTERFACES_ONLY && !interfaces_hold(skb->ifindex);
}

/* A socket of another network namespace has no interface of ours, whatever its index says. */
static __always_inline bool interfaces_metered(struct __sk_buff *skb, __u64 socket)
{
	bool elsewhere = socket & SOCKET_ELSEWHERE;

	switch (settings.interfaces) {
	case METER_INTERFACES_ONLY: /* interfaces_none() has looked */
		return !elsewhere;
	case METER_INTERFACES_EXCEPT:
		return elsewhere || !interfaces_hold(skb->ifindex);
	}
	return true;
}

#endif
