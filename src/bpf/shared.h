/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel half and the user half both know: the layout of a ring record, the keys and
 * values of the maps. The one header that both compile, so fixed widths, explicit padding, and the
 * sizes held by assertions. Numbers are in host byte order but for the __be types.
 */
#ifndef BPF_SHARED_H
#define BPF_SHARED_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum meter_direction {
	METER_IN,  /* the ingress hook */
	METER_OUT, /* the egress hook */
	METER_DIRECTIONS,
};

/* Which ends of a packet have to be in the untracked list for the packet not to be counted. */
enum meter_match {
	METER_MATCH_BOTH,
	METER_MATCH_EITHER,
	METER_MATCH_REMOTE, /* the end that is not this machine's: source in, destination out */
};

/* The highest step of the ladder in use. */
enum meter_records {
	METER_RECORDS_FLOW,
	METER_RECORDS_PACKET,
};

/* Whose a socket's packets are. */
enum meter_owner {
	METER_OWNER_PROCESS, /* the user of the process that uses the socket */
	METER_OWNER_LOGIN,   /* the same, by the audit login uid where there is one */
	METER_OWNER_SOCKET,  /* the socket's creator */
};

#define METER_NO_UID 0xffffffffu

/* What is known of a socket's owner, in its socket storage and with each flow. */
struct owner {
	__u64 cgroup;	  /* its id: the process's, or the one that the socket was made in */
	__u32 uid;	  /* METER_NO_UID: a socket of the kernel's own */
	__u32 login_uid;  /* METER_NO_UID: none, or not known */
	char program[16]; /* empty: no process was seen using the socket */
};

_Static_assert(sizeof(struct owner) == 32, "map layout");

/* Of what the programs remember of a socket, which is of no interest to user space. */
#define METER_REMEMBERED_SIZE 56

/* Which interfaces count. */
enum meter_interfaces {
	METER_INTERFACES_ALL,
	METER_INTERFACES_ONLY,	 /* those in the table */
	METER_INTERFACES_EXCEPT, /* all but those */
};

#define METER_INTERFACES_MAX 256

/* Interfaces whose frames are looked at: see frames.bpf.h. */
#define METER_LINKS_MAX 32768

/* Constants to the loaded programs: the branches not taken are removed. */
struct meter_settings {
	__u32 records;	  /* enum meter_records */
	__u32 owner;	  /* enum meter_owner */
	__u32 interfaces; /* enum meter_interfaces */
	__u32 match;	  /* enum meter_match */

	/* The reader is woken when the ring's fill crosses a multiple of this. Waking it for each
	 * record would cost more than all the rest (4 to 16 us); in between it comes by timer. */
	__u32 ring_wake_bytes;

	__u8 networks; /* there may be an untracked list */
	__u8 task_btf; /* bpf_get_current_task_btf() is there (5.11): fields of a task are plain loads */

	/* What rootless containers move in their own networks reaches the outside through a helper,
	 * whose own socket is counted. */
	__u8 skip_nested;

	__u8 full_sockets; /* socket storage is for full sockets only (before 5.10) */
	__u8 no_types;	   /* no BTF: fields of the kernel's own types can't be read */
	__u8 padding[3];
	__u32 netns; /* the number of our own network namespace; 0: not known */
};

_Static_assert(sizeof(struct meter_settings) == 32, "global layout");

/* One packet in the ring. What follows depends on the family: source and destination, 4 bytes
 * each for IPv4, 16 for IPv6, in network byte order. */
struct packet_record {
	__u64 time_ns;	    /* CLOCK_MONOTONIC */
	struct owner owner; /* uid: who is charged */
	__u32 bytes;	    /* skb->len: from the IP header on */
	__u32 wire_bytes;
	__u32 ifindex;
	__be16 source_port;
	__be16 destination_port;
	__u8 family; /* 4 or 6 */
	__u8 protocol;
	__u8 direction; /* enum meter_direction */
	__u8 padding;
	__u32 wire_packets; /* 0, of the first layout: not known */
};

struct packet_record_ipv4 {
	struct packet_record head;
	__be32 source;
	__be32 destination;
};

struct packet_record_ipv6 {
	struct packet_record head;
	__be32 source[4];
	__be32 destination[4];
};

_Static_assert(sizeof(struct packet_record) == 64, "ring layout");
_Static_assert(sizeof(struct packet_record_ipv4) == 72, "ring layout");
_Static_assert(sizeof(struct packet_record_ipv6) == 96, "ring layout");

/* Sums only grow, by atomic additions: on one CPU too, where a packet that is being sent can be
 * interrupted by one that a softirq sends. */
struct meter_sum {
	__u64 packets;
	__u64 bytes;
};

/* Step 2 of the ladder: what the packets of a flow have in common. IPv4 addresses stand in the
 * first 4 bytes, the rest is 0. */
struct flow_key {
	__u32 uid;
	__u32 ifindex;
	__be16 source_port;
	__be16 destination_port;
	__u8 direction; /* enum meter_direction */
	__u8 family;	/* 4 or 6 */
	__u8 protocol;
	__u8 padding;
	__be32 source[4];
	__be32 destination[4];
};

_Static_assert(sizeof(struct flow_key) == 48, "map layout");

/* Step 3: the same, less all but these two. */
struct user_key {
	__u32 uid;
	__u32 direction; /* enum meter_direction */
};

_Static_assert(sizeof(struct user_key) == 8, "map layout");

/* An entry of steps 2 and 3. Times are CLOCK_MONOTONIC, right to a tick of the kernel's (1..10 ms); where
 * CPUs add at once one of theirs may be missed. */
struct table_value {
	struct meter_sum sum;
	__u64 extra_bytes; /* on the wire beside those: headers of the segments of GSO and GRO */
	__u64 first_ns;
	__u64 last_ns;
};

_Static_assert(sizeof(struct table_value) == 40, "map layout");

/* With a flow goes the owner as of its first packet that had one. */
struct flow_value {
	struct table_value value;
	struct owner owner;
	__u64 extra_packets; /* segments of GSO and GRO beside the packets; not in the first layout */
#ifdef TEST_LAYOUT
	__u64 later; /* as a version to come may have it: for the test of an upgrade */
#endif
};

#ifndef TEST_LAYOUT
_Static_assert(sizeof(struct flow_value) == 80, "map layout");
#endif

/* An entry of step 3. */
struct user_value {
	struct table_value value;
	__u64 extra_packets; /* as above */
};

_Static_assert(sizeof(struct user_value) == 48, "map layout");

/* In front of step 2, for each CPU: the flows of the last packets, so that the next packet of one costs
 * no look-up in the table. Each direction has half of the entries, a power of two. */
#define METER_RECENT 64

struct recent_flow {
	struct flow_key key;
	struct flow_value value; /* no packets: the entry is free */
};

#ifndef TEST_LAYOUT
_Static_assert(sizeof(struct recent_flow) == 128, "two cache lines");
#endif

/* The audit counters: one for each direction, and then what is beside the ladder. */
enum meter_audit {
	METER_AUDIT_FORWARDED = METER_DIRECTIONS, /* left by a metered interface without a socket */
	METER_AUDIT_UNREMEMBERED, /* there was no memory to remember the socket in; counted above too */
	METER_AUDIT_ENTRIES,
};

/* Per CPU and direction, never set back. What the hooks took on is `packets` packets of `bytes` +
 * `nested_bytes` bytes. A program adds to `packets`, atomically, when it begins with one. It is alone on
 * its CPU if by then all the others have ended: it adds to `ended`, to `bytes` and to the recent flows
 * without atomic additions, which cost as much as the rest of the audit. One that comes in between, by an
 * interrupt or by preemption, leaves those alone, and adds to the nested ones atomically. */
struct audit_value {
	__u64 packets;
	__u64 ended;
	__u64 nested_ended;
	__u64 bytes;
	__u64 nested_bytes;

	/* Of no interest to user space: the time, read once a tick; and the ring's fill when last
	 * looked at, in parts. */
	__u64 tick;
	__u64 tick_ns;
	__u64 ring_mark;

	struct meter_sum total; /* the part that only step 4 had room for */
	__u64 total_extra_bytes;
	__u64 total_extra_packets; /* padding in the first layout */
	__u64 padding[4];
};

_Static_assert(sizeof(struct audit_value) == 128, "map layout");

/* The untracked list. Two sets, of which one is active: its index is stored in one write, so no
 * packet is judged by a half-loaded list. The maps are networks_ipv4[set], networks_ipv6[set] and
 * networks_masked[set]. */
#define NETWORKS_SETS	   2
#define NETWORKS_MASKS_MAX 32 /* the wildcards of the grammar make 11 at most */

/* Room in the tables of a set: more where the list is longer. */
#define NETWORKS_TEMPLATE	 131072
#define NETWORKS_MASKED_TEMPLATE 1024

/* A key of the LPM tries: as struct bpf_lpm_trie_key, with the address in network byte order. */
struct network_ipv4_key {
	__u32 prefix_length;
	__be32 address;
};

struct network_ipv6_key {
	__u32 prefix_length;
	__u8 address[16];
};

/* Networks whose mask is no prefix, as 10.*.5.*: one look-up for each mask in use. */
struct network_masked_key {
	__be32 mask;
	__be32 address;
};

struct networks_set {
	__u32 generation; /* of the list, from 1; 0: none was loaded */
	__u32 ipv4;	  /* how many entries: 0 saves the look-up */
	__u32 ipv6;
	__u32 masks; /* how many of the following are in use */
	__be32 mask[NETWORKS_MASKS_MAX];
};

struct networks_control {
	__u32 active; /* index of the set that judges */
	struct networks_set sets[NETWORKS_SETS];
};

_Static_assert(sizeof(struct networks_control) == 4 + 2 * (16 + 4 * NETWORKS_MASKS_MAX),
	       "global layout");

/* Here, as bpftool before 5.14 makes a skeleton without the types of the variables.
 *
 * How long an extension header is: `plus` units, and as many as its second byte says where it is `sized`
 * (RFC 8200, RFC 4302 2.2). Of a fragment header the bits of the offset tell a first one. As a table, since
 * each branch on the way from header to header is multiplied by those before, for the verifier. */
struct extension_kind {
	__u8 unit; /* 0: this is no extension header */
	__u8 plus;
	__u8 sized;
	__u8 padding;
	__be32 offset_mask; /* of the header's first 4 bytes */
};

#endif
