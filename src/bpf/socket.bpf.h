/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered of a socket, in its storage: it goes with the socket, and finding it costs the
 * same however many sockets there are. Filled by owner.bpf.h and networks.bpf.h.
 */
#ifndef BPF_SOCKET_BPF_H
#define BPF_SOCKET_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "shared.h"

struct remembered {
	/* The owner; and the task's credentials that it was last read from. A change of hands shows
	 * in their address, which is cheaper to compare than all to read, and in the uid, since a
	 * cred may be freed and its address be another user's. */
	struct owner owner;
	__u64 cred;
	__u32 cred_uid;
	__u32 owner_known; /* 0: nothing above is filled in */

	/* The untracked list's verdict on the last packet's ends, in one word that is read and
	 * written whole: 40 bits of a hash of them, 23 of the list's generation, 1 of verdict. */
	__u64 verdict;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct remembered);
} sockets SEC(".maps");

/* NULL where there is no full socket, or no memory. */
static __always_inline struct bpf_sock *socket_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk ? bpf_sk_fullsock(sk) : 0;
}

static __always_inline struct remembered *socket_remember(struct bpf_sock *sk)
{
	return bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

#endif
