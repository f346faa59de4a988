/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who a packet is charged to. */
#ifndef BPF_OWNER_BPF_H
#define BPF_OWNER_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

/* Policy `socket`: the creator of the socket, in the user namespace of the packet's network. */
static __always_inline __u32 owner_uid(struct __sk_buff *skb)
{
	return bpf_get_socket_uid(skb);
}

#endif
