/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which interfaces count. User space keeps the table in step with interfaces that come and go. */
#ifndef BPF_INTERFACES_BPF_H
#define BPF_INTERFACES_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "settings.bpf.h"
#include "shared.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, METER_INTERFACES_MAX);
	__type(key, __u32);
	__type(value, __u8);
} interfaces SEC(".maps");

static __always_inline bool interfaces_metered(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;

	if (settings.interfaces == METER_INTERFACES_ALL)
		return true;
	return !bpf_map_lookup_elem(&interfaces, &ifindex) ==
	       (settings.interfaces == METER_INTERFACES_EXCEPT);
}

#endif
