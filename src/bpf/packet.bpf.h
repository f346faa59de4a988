/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a packet says of itself: family, ends, protocol, ports, length on the wire. Nothing of who
 * sent it or whether it counts.
 *
 * A packet whose headers can't be read keeps family 0, or ports 0 where only those are missing: it
 * is counted all the same, on a step that has no addresses.
 */
#ifndef BPF_PACKET_BPF_H
#define BPF_PACKET_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86dd

#define IPPROTO_HOPOPTS	 0
#define IPPROTO_TCP	 6
#define IPPROTO_UDP	 17
#define IPPROTO_ROUTING	 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH	 51
#define IPPROTO_DSTOPTS	 60
#define IPPROTO_SCTP	 132
#define IPPROTO_UDPLITE	 136

/* RFC 8200 knows 6 extension headers, of which destination options may come twice. */
#define IPV6_EXTENSIONS_MAX 7

struct packet {
	__u8 family;
	__u8 protocol;
	__be16 source_port;
	__be16 destination_port;
	__u32 bytes; /* from the IP header on */
	__u32 wire_bytes;
	union {
		struct {
			__be32 source;
			__be32 destination;
		} ipv4;
		struct {
			__u8 source[16];
			__u8 destination[16];
		} ipv6;
	};
};

/* Copy `size` bytes (a constant) from the offset on, which is a multiple of 4 from the IP header, as
 * every header's is: told so, the compiler copies words and not bytes. Direct access where the linear
 * part holds them, which it nearly always does; a raw socket's payload may lie in pages. */
static __always_inline int packet_load(struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	void *data = (void *)(unsigned long)skb->data;
	void *end = (void *)(unsigned long)skb->data_end;

	if (offset <= 0xffff && data + offset + size <= end) {
		__builtin_memcpy(to, __builtin_assume_aligned(data + offset, 4), size);
		return 0;
	}
	return bpf_skb_load_bytes(skb, offset, to, size);
}

/* skb->len is that of the super-packet of GSO and GRO; each segment has headers of its own. */
static __always_inline __u32 packet_wire_bytes(struct __sk_buff *skb, __u32 start, __u32 offset,
					       const struct packet *packet)
{
	__u32 segments = skb->gso_segs, size = skb->gso_size, headers = offset - start + 8;
	__u8 data_offset = 0;

	if (!size)
		return packet->bytes;
	if (packet->protocol == IPPROTO_TCP) {
		if (packet_load(skb, offset + 12, &data_offset, sizeof(data_offset)))
			return packet->bytes;
		headers = offset - start + (data_offset >> 4) * 4;
	}
	/* A virtual machine's or tunnel's packet may come with the size alone. */
	if (!segments && packet->bytes > headers)
		segments = (packet->bytes - headers + size - 1) / size;
	return segments > 1 ? packet->bytes + (segments - 1) * headers : packet->bytes;
}

static __always_inline void packet_parse_transport(struct __sk_buff *skb, __u32 start, __u32 offset,
						   bool first_fragment, struct packet *packet)
{
	__be16 ports[2];

	packet->wire_bytes = packet_wire_bytes(skb, start, offset, packet);
	if (!first_fragment)
		return;
	switch (packet->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		if (packet_load(skb, offset, ports, sizeof(ports)))
			return;
		packet->source_port = ports[0];
		packet->destination_port = ports[1];
	}
}

static __always_inline void packet_parse_ipv4(struct __sk_buff *skb, __u32 start,
					      struct packet *packet)
{
	struct iphdr header;
	__u32 header_size;

	if (packet_load(skb, start, &header, sizeof(header)))
		return;
	header_size = (header.version_ihl & 0x0f) * 4;
	if (header.version_ihl >> 4 != 4 || header_size < sizeof(header))
		return;

	packet->family = 4;
	packet->protocol = header.protocol;
	packet->ipv4.source = header.saddr;
	packet->ipv4.destination = header.daddr;
	packet_parse_transport(skb, start, start + header_size,
			       !(header.frag_off & bpf_htons(0x1fff)), packet);
}

/* Walk the extension headers to the transport. Where the walk ends early (more headers than the
 * standard has, a cut packet, ESP) the protocol is the last one read and the ports stay 0. */
static __always_inline void packet_parse_ipv6_payload(struct __sk_buff *skb, __u32 start, __u8 next,
						      struct packet *packet)
{
	__u32 offset = start + sizeof(struct ipv6hdr);
	bool first_fragment = true;
	__u8 extension[4] __attribute__((aligned(4)));

	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_DSTOPTS && next != IPPROTO_AH)
			break;
		packet->protocol = next;
		if (packet_load(skb, offset, extension, sizeof(extension)))
			return;
		if (next == IPPROTO_FRAGMENT) {
			/* 13 bits of offset, 2 reserved, 1 "more fragments" (RFC 8200, 4.5) */
			first_fragment = !extension[2] && !(extension[3] & 0xf8);
			offset += 8;
		} else if (next == IPPROTO_AH) {
			offset += (extension[1] + 2) * 4; /* RFC 4302, 2.2 */
		} else {
			offset += (extension[1] + 1) * 8;
		}
		next = extension[0];
		if (!first_fragment)
			break;
	}
	packet->protocol = next;
	packet_parse_transport(skb, start, offset, first_fragment, packet);
}

/* The addresses go where they stay, past the stack, of which there are 512 bytes. */
static __always_inline void packet_parse_ipv6(struct __sk_buff *skb, __u32 start,
					      struct packet *packet)
{
	struct ipv6_start first;

	if (packet_load(skb, start, &first, sizeof(first)) ||
	    bpf_ntohl(first.version_class_flow) >> 28 != 6 ||
	    packet_load(skb, start + sizeof(first), &packet->ipv6, sizeof(packet->ipv6)))
		return;
	packet->family = 6;
	packet_parse_ipv6_payload(skb, start, first.nexthdr, packet);
}

/* start: where the IP header is. */
static __always_inline void packet_parse(struct __sk_buff *skb, __u32 start, __be16 protocol,
					 struct packet *packet)
{
	__builtin_memset(packet, 0, sizeof(*packet));
	packet->bytes = packet->wire_bytes = skb->len - start;
	if (protocol == bpf_htons(ETH_P_IP))
		packet_parse_ipv4(skb, start, packet);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		packet_parse_ipv6(skb, start, packet);
}

#endif
