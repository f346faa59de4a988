// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a flow record can't be had without, each alone in a pair of programs, so that the meter's
 * cost can be held against their sum. `empty` is what measuring itself costs.
 */
#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* As large as the meter's key and value. */
struct flow_key {
	__u64 words[6];
};

struct flow_value {
	__u64 words[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow_key);
	__type(value, struct flow_value);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct flow_value);
} sockets SEC(".maps");

/* Where results go, for the compiler not to leave out what makes them. */
volatile __u32 seen;

static __always_inline void empty(struct __sk_buff *skb, __u32 direction)
{
	(void)skb;
	(void)direction;
}

/* The header of IPv4 with the ports behind it, in place. */
static __always_inline void header(struct __sk_buff *skb, __u32 direction)
{
	void *data = (void *)(unsigned long)skb->data;
	void *end = (void *)(unsigned long)skb->data_end;
	struct iphdr *ipv4 = data;
	__u32 *ports = data + sizeof(*ipv4);

	(void)direction;
	if (skb->protocol != bpf_htons(0x0800) || (void *)(ports + 1) > end)
		return;
	seen = ipv4->saddr + ipv4->daddr + ipv4->protocol + *ports;
}

/* The owner by owner = socket. */
static __always_inline void uid(struct __sk_buff *skb, __u32 direction)
{
	(void)direction;
	seen = bpf_get_socket_uid(skb);
}

/* The owner by owner = process: what is remembered of the socket. */
static __always_inline void storage(struct __sk_buff *skb, __u32 direction)
{
	struct bpf_sock *sk = skb->sk;
	struct flow_value *value;

	(void)direction;
	if (!sk || !(sk = bpf_sk_fullsock(sk)))
		return;
	value = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (value)
		seen = value->words[0];
}

/* A look-up and an update. */
static __always_inline void hash(struct __sk_buff *skb, __u32 direction)
{
	struct flow_key key = { .words = { skb->ifindex, direction } };
	struct flow_value first = { 0 }, *value = bpf_map_lookup_elem(&flows, &key);

	if (!value) {
		bpf_map_update_elem(&flows, &key, &first, BPF_NOEXIST);
		return;
	}
	__sync_fetch_and_add(&value->words[0], 1);
	__sync_fetch_and_add(&value->words[1], skb->len);
	__sync_fetch_and_add(&value->words[2], skb->len);
}

#define PROGRAMS(name)                            \
	SEC("cgroup_skb/ingress")                 \
	int name##_ingress(struct __sk_buff *skb) \
	{                                         \
		name(skb, 0);                     \
		return 1;                         \
	}                                         \
	SEC("cgroup_skb/egress")                  \
	int name##_egress(struct __sk_buff *skb)  \
	{                                         \
		name(skb, 1);                     \
		return 1;                         \
	}

PROGRAMS(empty)
PROGRAMS(header)
PROGRAMS(uid)
PROGRAMS(storage)
PROGRAMS(hash)

char LICENSE[] SEC("license") = "GPL";
