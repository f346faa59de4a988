/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A record: what outputs and plug-ins see of the traffic.
 *
 * A record stands for one packet or for several that share its fields; which of the two is told
 * by its step. Numbers are in host byte order unless a comment says otherwise. A record and all
 * that it points to belong to the host and stay valid until write() has returned; an output that
 * wants to keep something copies it.
 */
#ifndef TRAFFIC_METER_RECORD_H
#define TRAFFIC_METER_RECORD_H

#include <stdint.h>

/* As the kernel's INVALID_UID: "nobody known", which is not uid 65534, a real user. */
#define TRAFFIC_NO_UID UINT32_MAX

enum traffic_direction {
	TRAFFIC_IN,  /* received by this machine */
	TRAFFIC_OUT, /* sent by this machine */
};

/* The step of the ladder that counted the record: a lower step knows less, never fewer bytes. */
enum traffic_step {
	TRAFFIC_STEP_PACKET = 1, /* one packet */
	TRAFFIC_STEP_FLOW,	 /* packets that share uid, direction, protocol, ends, interface */
	TRAFFIC_STEP_USER,	 /* packets that share uid and direction: no addresses */
	TRAFFIC_STEP_TOTAL,	 /* packets that share the direction: no uid either */
};

enum traffic_family {
	TRAFFIC_FAMILY_NONE = 0, /* addresses, ports, protocol and interface are not known */
	TRAFFIC_FAMILY_IPV4 = 4,
	TRAFFIC_FAMILY_IPV6 = 6,
};

struct traffic_record {
	uint64_t start_ns;     /* first packet: ns since 1970-01-01 UTC, from the kernel's clock */
	uint64_t end_ns;       /* last packet, likewise; equal to start_ns for one packet */
	uint64_t bytes;	       /* sum of the packets' lengths from the IP header on (skb->len) */
	uint64_t wire_bytes;   /* the same, each segment of a GSO or GRO packet with its headers */
	uint64_t wire_packets; /* on the wire: a GSO or GRO packet is as many as its segments */
	uint64_t packets;      /* as the hooks saw them: a GSO or GRO packet is one */
	uint64_t total_in;     /* bytes of this uid so far, this record included, both families */
	uint64_t total_out;
	uint32_t uid;	      /* TRAFFIC_NO_UID: nobody's (the kernel's own), or not known */
	uint32_t login_uid;   /* of the audit session; TRAFFIC_NO_UID: none, or not known */
	uint32_t ifindex;     /* 0: not known */
	uint16_t source_port; /* 0 where the protocol has none, or in a later fragment */
	uint16_t destination_port;
	uint8_t direction;  /* enum traffic_direction */
	uint8_t family;	    /* enum traffic_family */
	uint8_t protocol;   /* IANA protocol number (6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6 ...) */
	uint8_t step;	    /* enum traffic_step */
	uint8_t source[16]; /* network byte order; IPv4 in the first 4 bytes, the rest 0 */
	uint8_t destination[16];
	char interface[16]; /* NUL-terminated; empty: not known */
	char program[16];   /* of the owner, NUL-terminated, any bytes; empty: not known */
	uint64_t cgroup_id; /* of the owner's cgroup; 0: not known */
	const char *cgroup; /* its path below the cgroup2 mount; NULL: not known */
	const char *
		network; /* that the other machine's end is in, a name of --networks; NULL: not known */
	const char *workload; /* what the cgroup is for, "slurm:1234"; NULL: not known */
};

#endif
