/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is remembered of a socket, in its storage: it goes with the socket, and finding it costs the
 * same however many sockets there are. Filled here, by owner.bpf.h and by networks.bpf.h.
 */
#ifndef BPF_SOCKET_BPF_H
#define BPF_SOCKET_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "packet.bpf.h"
#include "settings.bpf.h"
#include "shared.h"

struct remembered {
	/* The owner as of the task that was last seen using the socket, and that task's credentials
	 * and cgroups, by whose change a change of hands shows. 0: none was seen yet, and of the
	 * owner the cgroup alone is filled in. */
	struct owner owner;
	__u64 task;

	/* The socket's address, with what never changes of it in the low bits. 0: not looked at. */
	__u64 socket;

	/* The untracked list's verdict on the last packet's ends, in one word that is read and
	 * written whole: 40 bits of a hash of them, 23 of the list's generation, 1 of verdict. */
	__u64 verdict;
};

#define SOCKET_KERNELS 1ull /* the kernel's own: ICMP's, NFS's, a tunnel's */
#define SOCKET_NESTED \
	2ull /* in a network namespace of a nested user namespace: rootless containers */
#define SOCKET_DATAGRAM 4ull /* each packet is sent inside of a system call */
#define SOCKET_ELSEWHERE \
	16ull /* in another network namespace, where interfaces have indexes of its own */
#define SOCKET_BITS 31ull /* 8 is free */

#define SOCK_DGRAM 2
#define SOCK_RAW   3

/* With the head that the kernel puts before it this fills a cache line. */
_Static_assert(sizeof(struct remembered) == METER_REMEMBERED_SIZE, "socket storage");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct remembered);
} sockets SEC(".maps");

/* Of a cgroup's packet always a full socket: it is how the packet is the cgroup's. */
static __always_inline struct bpf_sock *socket_of(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	return sk && settings.full_sockets ? bpf_sk_fullsock(sk) : sk;
}

/* MPTCP makes the sockets of its subflows itself; they are the user's all the same. */
static __always_inline bool socket_is_kernels(struct bpf_sock *sk, struct sock *raw)
{
	struct tcp_sock *tcp = (struct tcp_sock *)raw;

	if (!BPF_CORE_READ_BITFIELD_PROBED(raw, sk_kern_sock))
		return false;
	return sk->protocol != IPPROTO_TCP || !bpf_core_field_exists(tcp->is_mptcp) ||
	       !BPF_CORE_READ_BITFIELD_PROBED(tcp, is_mptcp);
}

static __always_inline bool socket_is_elsewhere(struct sock *raw)
{
	return settings.netns && bpf_core_field_exists(raw->__sk_common.skc_net.net) &&
	       BPF_CORE_READ(raw, __sk_common.skc_net.net, ns.inum) != settings.netns;
}

/* The word `socket` of what is remembered; 0: no full socket. */
static __noinline __u64 socket_look(struct bpf_sock *sk)
{
	/* The verifier allows no arithmetic on a bpf_sock; spilled and read back it is a number. */
	struct bpf_sock *volatile slot;
	struct sock *raw;
	__u64 bits = 0;

	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	slot = sk;
	bpf_probe_read_kernel(&raw, sizeof(raw), (void *)&slot);
	if (!settings.no_types && socket_is_kernels(sk, raw))
		bits |= SOCKET_KERNELS;
	if (!settings.no_types && bpf_core_field_exists(raw->__sk_common.skc_net.net) &&
	    BPF_CORE_READ(raw, __sk_common.skc_net.net, user_ns, level) > 0)
		bits |= SOCKET_NESTED;
	if (!settings.no_types && socket_is_elsewhere(raw))
		bits |= SOCKET_ELSEWHERE;
	if (sk->type == SOCK_DGRAM || sk->type == SOCK_RAW)
		bits |= SOCKET_DATAGRAM;
	return (__u64)raw | bits;
}

/* NULL: no memory, or no full socket. */
static __always_inline struct remembered *socket_remember(struct __sk_buff *skb,
							  struct bpf_sock *sk)
{
	struct remembered *kept = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	/* Another CPU may have been quicker to make it. */
	if (unlikely(!kept))
		kept = bpf_sk_storage_get(&sockets, sk, 0, 0);
	if (kept && unlikely(!kept->socket)) {
		kept->owner.cgroup = bpf_skb_cgroup_id(skb);
		kept->socket = socket_look(sk);
	}
	return kept;
}

#endif
