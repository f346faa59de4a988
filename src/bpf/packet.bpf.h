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
#define IPPROTO_ESP	 50
#define IPPROTO_AH	 51
#define IPPROTO_DSTOPTS	 60
#define IPPROTO_SCTP	 132
#define IPPROTO_UDPLITE	 136

/* RFC 8200 knows 6 extension headers, of which destination options may come twice. */
#define IPV6_EXTENSIONS_MAX 7

#define IPV6_JUMBO_BYTES 8

struct packet {
	struct flow_key flow; /* of what the packet says; whose it is comes later */
	__u32 bytes;	      /* from the IP header on */
	__u32 wire_bytes;
	__u32 wire_packets;
};

/* `size` bytes (a constant) from the offset on, which is a multiple of 4 from the IP header, as every
 * header's is: told so, the compiler reads words and not bytes. In place where the linear part holds
 * them, which it nearly always does; a raw socket's payload may lie in pages: then in the buffer.
 * NULL: the packet ends before. */
static __always_inline const void *packet_at(struct __sk_buff *skb, __u32 offset, void *buffer,
					     __u32 size)
{
	void *data = (void *)(unsigned long)skb->data;
	void *end = (void *)(unsigned long)skb->data_end;

	if (likely(offset <= 0xffff && data + offset + size <= end))
		return __builtin_assume_aligned(data + offset, 4);
	return bpf_skb_load_bytes(skb, offset, buffer, size) ? 0 : buffer;
}

/* IPv6 packets of more than 64 KiB have a jumbo option (RFC 2675), before the transport's header, that no
 * segment has (BIG TCP). Returns its size. */
static __always_inline __u32 packet_jumbo(struct __sk_buff *skb, __u32 start)
{
	const struct ipv6_start *header;
	struct ipv6_start buffer;

	header = packet_at(skb, start, &buffer, sizeof(buffer));
	return header && !header->payload_len && header->nexthdr == IPPROTO_HOPOPTS
		       ? IPV6_JUMBO_BYTES
		       : 0;
}

/* skb->len is that of the super-packet of GSO and GRO; each segment has headers of its own. */
static __noinline void packet_parse_gso(struct __sk_buff *skb, __u32 start, __u32 offset,
					struct packet *packet)
{
	__u32 size = skb->gso_size, segments = skb->gso_segs, headers = offset - start + 8;
	const __u8 *data_offset;
	__u32 jumbo = 0;
	__u8 buffer;

	if (packet->flow.protocol == IPPROTO_TCP) {
		data_offset = packet_at(skb, offset + 12, &buffer, sizeof(buffer));
		if (!data_offset)
			return;
		headers = offset - start + (*data_offset >> 4) * 4;
	}
	if (packet->flow.family == 6)
		jumbo = packet_jumbo(skb, start);
	/* A virtual machine's or tunnel's packet may come with the size alone. */
	if (!segments && skb->len - start > headers)
		segments = (skb->len - start - headers + size - 1) / size;
	if (segments > 1) {
		packet->wire_packets = segments;
		packet->wire_bytes += (segments - 1) * (headers - jumbo) - jumbo;
	}
}

static __always_inline void packet_parse_transport(struct __sk_buff *skb, __u32 start, __u32 offset,
						   struct packet *packet)
{
	const __be16 *ports;
	__u32 buffer;

	if (skb->gso_size)
		packet_parse_gso(skb, start, offset, packet);
	switch (packet->flow.protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		ports = packet_at(skb, offset, &buffer, sizeof(buffer));
		if (!ports)
			return;
		packet->flow.source_port = ports[0];
		packet->flow.destination_port = ports[1];
	}
}

/* Returns where the transport's header is; 0: here is none. */
static __always_inline __u32 packet_parse_ipv4(struct __sk_buff *skb, __u32 start,
					       struct packet *packet)
{
	const struct iphdr *header;
	struct iphdr buffer;
	__u32 header_size;

	header = packet_at(skb, start, &buffer, sizeof(buffer));
	if (!header)
		return 0;
	header_size = (header->version_ihl & 0x0f) * 4;
	if (header->version_ihl >> 4 != 4 || header_size < sizeof(*header))
		return 0;

	packet->flow.family = 4;
	packet->flow.protocol = header->protocol;
	packet->flow.source[0] = header->saddr;
	packet->flow.destination[0] = header->daddr;
	return header->frag_off & bpf_htons(0x1fff) ? 0 : start + header_size;
}

static const struct extension_kind extension_kinds[256] = {
	[IPPROTO_HOPOPTS] = { .unit = 8, .plus = 1, .sized = 1 },
	[IPPROTO_ROUTING] = { .unit = 8, .plus = 1, .sized = 1 },
	[IPPROTO_DSTOPTS] = { .unit = 8, .plus = 1, .sized = 1 },
	[IPPROTO_AH] = { .unit = 4, .plus = 2, .sized = 1 },
	[IPPROTO_FRAGMENT] = { .unit = 8, .plus = 1, .offset_mask = bpf_htonl(0x0000fff8) },
};

/* Walk the extension headers from the offset on. Where the walk ends early (more headers than the
 * standard has, a cut packet, ESP) the protocol is the last one read and the ports stay 0. */
static __always_inline __u32 packet_walk_extensions(struct __sk_buff *skb, __u32 offset, __u8 next,
						    struct packet *packet)
{
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		const struct extension_kind *kind = &extension_kinds[next];
		union {
			__be32 word;
			__u8 bytes[4];
		} extension;

		packet->flow.protocol = next;
		if (!kind->unit)
			return offset;
		if (bpf_skb_load_bytes(skb, offset, &extension, sizeof(extension)))
			return 0;
		next = extension.bytes[0];
		offset += (extension.bytes[1] * kind->sized + kind->plus) * kind->unit;
		/* More it can't be. A bound that is the same in each turn lets the verifier see that
		 * it was here before. */
		offset &= 0x7fff;
		if (extension.word & kind->offset_mask) {
			packet->flow.protocol = next;
			return 0;
		}
	}
	packet->flow.protocol = next;
	return offset;
}

/* The same. A function of its own, out of the way of most machines' packets. */
static __noinline __u32 packet_parse_ipv6(struct __sk_buff *skb, __u32 start, struct packet *packet)
{
	const struct ipv6hdr *header;
	struct ipv6hdr buffer;

	header = packet_at(skb, start, &buffer, sizeof(buffer));
	if (!header || bpf_ntohl(header->start.version_class_flow) >> 28 != 6)
		return 0;
	__builtin_memcpy(packet->flow.source, header->saddr, sizeof(header->saddr));
	__builtin_memcpy(packet->flow.destination, header->daddr, sizeof(header->daddr));
	packet->flow.family = 6;
	return packet_walk_extensions(skb, start + sizeof(*header), header->start.nexthdr, packet);
}

/* start: where the IP header is. */
static __always_inline void packet_parse(struct __sk_buff *skb, __u32 start, __be16 protocol,
					 enum meter_direction direction, struct packet *packet)
{
	__u32 offset = 0;

	__builtin_memset(packet, 0, sizeof(*packet));
	packet->flow.ifindex = skb->ifindex;
	packet->flow.direction = direction;
	packet->bytes = packet->wire_bytes = skb->len - start;
	packet->wire_packets = 1;
	if (protocol == bpf_htons(ETH_P_IP))
		offset = packet_parse_ipv4(skb, start, packet);
	else if (protocol == bpf_htons(ETH_P_IPV6))
		offset = packet_parse_ipv6(skb, start, packet);
	if (offset)
		packet_parse_transport(skb, start, offset, packet);
}

#endif
