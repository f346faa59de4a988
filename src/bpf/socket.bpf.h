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
	2ull /* in a rootless container's network, whose traffic a helper carries outside */
#define SOCKET_DATAGRAM 4ull /* each packet is sent inside of a system call */
#define SOCKET_NOBODYS	8ull /* not accepted yet: its word may become another one, and is not kept */
#define SOCKET_ELSEWHERE \
	16ull /* in another network namespace, where interfaces have indexes of its own */
#define SOCKET_BITS 31ull

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

/* Of a TCP socket that the kernel has made: it makes MPTCP's subflows and the socket inside of one of AF_SMC
 * for a process. So are those with a user's uid; of root's what tells is MPTCP's mark, and SMC's until the
 * peer is found to have none. */
static __always_inline bool socket_is_kernels(struct sock *raw)
{
	struct tcp_sock *tcp = (struct tcp_sock *)raw;

	if (bpf_core_field_exists(tcp->is_mptcp) && BPF_CORE_READ_BITFIELD_PROBED(tcp, is_mptcp))
		return false;
	if (bpf_core_field_exists(tcp->syn_smc) && BPF_CORE_READ_BITFIELD_PROBED(tcp, syn_smc))
		return false;
	return BPF_CORE_READ(raw, sk_uid.val) == 0;
}

/* A connection bears its listener's mark until it is accepted: MPTCP's listener is a socket of the
 * kernel's, and who connects without MPTCP gets a socket of the user's. */
static __always_inline __u64 socket_kernels_bits(struct bpf_sock *sk, struct sock *raw)
{
	if (!BPF_CORE_READ_BITFIELD_PROBED(raw, sk_kern_sock))
		return 0;
	if (sk->protocol != IPPROTO_TCP)
		return SOCKET_KERNELS;
	if (!BPF_CORE_READ(raw, sk_socket))
		return SOCKET_NOBODYS;
	return socket_is_kernels(raw) ? SOCKET_KERNELS : 0;
}

/* Made by root: the first network namespaces, and those of containers whose user namespace root has
 * made. What they move is routed, and no helper's. */
static __always_inline bool network_is_roots(struct net *net)
{
	return BPF_CORE_READ(net, user_ns, level) == 0 ||
	       BPF_CORE_READ(net, user_ns, owner.val) == 0;
}

/* The other end of a veth pair, or NULL. What the driver keeps of an interface is behind it, aligned to
 * 32 bytes, and of a veth that begins with the other end. */
static __always_inline struct net_device *network_veth_peer(struct net_device *device)
{
	const char *kind = BPF_CORE_READ(device, rtnl_link_ops, kind);
	struct net_device *peer = 0;
	char name[8] __attribute__((aligned(8))) = "";

	/* With its NUL: no more of the name may be there to be read. */
	if (!kind || bpf_probe_read_kernel(name, sizeof("veth"), kind) ||
	    *(__u64 *)name != *(const __u64 *)"veth\0\0\0")
		return 0;
	bpf_probe_read_kernel(&peer, sizeof(peer),
			      (void *)device +
				      ((bpf_core_type_size(struct net_device) + 31) & ~31ull));
	return peer;
}

/* How many of a network namespace's interfaces are looked at. */
#define NETWORK_DEVICES 8

/* Whether a veth pair of root's making leads out of a user's network namespace (lxc-user-nic): then no
 * helper carries what it moves. */
static __noinline bool network_leads_out(struct net *net)
{
	struct list_head *at = BPF_CORE_READ(net, dev_base_head.next);
	struct list_head *head = (void *)net + bpf_core_field_offset(net->dev_base_head);

	for (int i = 0; i < NETWORK_DEVICES && at && at != head; i++) {
		struct net_device *peer, *device = 0;

		device = (void *)at - bpf_core_field_offset(device->dev_list);
		peer = network_veth_peer(device);
		if (peer && network_is_roots(BPF_CORE_READ(peer, nd_net.net)))
			return true;
		at = BPF_CORE_READ(at, next);
	}
	return false;
}

static __always_inline bool network_is_nested(struct sock *raw)
{
	struct net *net;

	if (!bpf_core_field_exists(raw->__sk_common.skc_net.net))
		return false;
	net = BPF_CORE_READ(raw, __sk_common.skc_net.net);
	return !network_is_roots(net) && !network_leads_out(net);
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
	if (!settings.no_types) {
		bits |= socket_kernels_bits(sk, raw);
		if (settings.skip_nested && network_is_nested(raw))
			bits |= SOCKET_NESTED;
		if (socket_is_elsewhere(raw))
			bits |= SOCKET_ELSEWHERE;
	}
	if (sk->type == SOCK_DGRAM || sk->type == SOCK_RAW)
		bits |= SOCKET_DATAGRAM;
	return (__u64)raw | bits;
}

/* NULL: no memory, or no full socket. */
static __always_inline struct remembered *socket_remember(struct __sk_buff *skb,
							  struct bpf_sock *sk, __u64 *ret_socket)
{
	struct remembered *kept = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

	/* Another CPU may have been quicker to make it. */
	if (unlikely(!kept))
		kept = bpf_sk_storage_get(&sockets, sk, 0, 0);
	*ret_socket = kept ? kept->socket : 0;
	if (likely(*ret_socket))
		return kept;
	*ret_socket = socket_look(sk);
	if (!kept)
		return kept;
	if (!kept->task)
		kept->owner.cgroup = bpf_skb_cgroup_id(skb);
	if (!(*ret_socket & SOCKET_NOBODYS))
		kept->socket = *ret_socket;
	return kept;
}

#endif
