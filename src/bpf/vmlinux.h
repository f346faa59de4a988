/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's types that the kernel half reads, and no more. Fixed by the user ABI unless marked
 * preserve_access_index, which CO-RE finds in the running kernel's BTF whatever their layout.
 *
 * Written by hand instead of dumped or taken from linux/bpf.h: the build then needs no kernel to
 * look at and no architecture's include path.
 */
#ifndef BPF_VMLINUX_H
#define BPF_VMLINUX_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef _Bool bool;

enum {
	false = 0,
	true = 1,
};

/* The kernel's words to its compiler: what is unlikely is put out of the way of the rest, which then
 * takes fewer cache lines. */
#ifndef likely
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_SK_STORAGE_GET_F_CREATE = 1,
};

enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

/* The context of a cgroup_skb program; the verifier turns each access into one of sk_buff. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
	__u32 napi_id;
	__u32 family;
	__u32 remote_ip4;
	__u32 local_ip4;
	__u32 remote_ip6[4];
	__u32 local_ip6[4];
	__u32 remote_port;
	__u32 local_port;
	__u32 data_meta;
	__u64 flow_keys;
	__u64 tstamp;
	__u32 wire_len;
	__u32 gso_segs;
	union {
		struct bpf_sock *sk;
		__u64 : 64;
	};
	__u32 gso_size;
};

/* What skb->sk points to, as the verifier shows it. */
struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4;
	__u32 src_ip6[4];
	__u32 src_port;
	__be16 dst_port;
	__u32 dst_ip4;
	__u32 dst_ip6[4];
	__u32 state;
	__s32 rx_queue_mapping;
};

#define CO_RE __attribute__((preserve_access_index))

typedef struct {
	__u32 val;
} CO_RE kuid_t;

typedef struct {
	int owned;
} CO_RE socket_lock_t;
struct list_head {
	struct list_head *next;
} CO_RE;

struct user_namespace {
	int level;    /* 0: the first one, which all others are nested in */
	kuid_t owner; /* who made it, as the first one sees them */
} CO_RE;

struct ns_common {
	unsigned int inum; /* as stat(2) shows it of /proc/PID/ns/net */
} CO_RE;

struct net {
	struct ns_common ns;
	struct user_namespace *user_ns; /* that owns the network namespace */
	struct list_head dev_base_head; /* its interfaces */
} CO_RE;

typedef struct {
	struct net *net; /* only with CONFIG_NET_NS */
} CO_RE possible_net_t;

struct rtnl_link_ops {
	const char *kind;
} CO_RE;

struct net_device {
	struct list_head dev_list; /* in the network namespace's */
	possible_net_t nd_net;
	const struct rtnl_link_ops *rtnl_link_ops;
} CO_RE;

struct sock_common {
	possible_net_t skc_net;
} CO_RE;

struct socket;

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	kuid_t sk_uid;
	struct socket *sk_socket; /* NULL: nobody has accepted it yet, or it was closed */
	__u8 sk_kern_sock : 1;
} CO_RE;

struct tcp_sock {
	__u8 is_mptcp : 1; /* only with CONFIG_MPTCP */
	__u8 syn_smc : 1;  /* only with CONFIG_SMC */
} CO_RE;

/* What a program's context stands for. */
struct sk_buff {
	unsigned int sender_cpu;    /* only with CONFIG_XPS */
	__u16 inner_network_header; /* of what a tunnel has wrapped, as an offset; 0: nothing */
} CO_RE;

struct cred {
	kuid_t uid;
	kuid_t fsuid;
} CO_RE;

struct kernfs_node {
	__u64 id; /* of a cgroup's directory: the cgroup's */
} CO_RE;

struct cgroup {
	struct kernfs_node *kn;
} CO_RE;

struct css_set {
	struct cgroup *dfl_cgrp; /* in the cgroup2 hierarchy */
} CO_RE;

struct task_struct {
	unsigned int flags;
	const struct cred *cred;
	struct css_set *cgroups;
	kuid_t loginuid; /* only with CONFIG_AUDIT */
	struct task_struct *group_leader;
	char comm[16];
} CO_RE;

/* RFC 791. Bit fields would depend on the byte order, so the first byte is one. */
struct iphdr {
	__u8 version_ihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__u16 check;
	__be32 saddr;
	__be32 daddr;
};

/* RFC 8200: what stands before the two addresses. */
struct ipv6_start {
	__be32 version_class_flow;
	__be16 payload_len;
	__u8 nexthdr;
	__u8 hop_limit;
};

struct ipv6hdr {
	struct ipv6_start start;
	__be32 saddr[4];
	__be32 daddr[4];
};

#endif
