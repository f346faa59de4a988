// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Raw sockets: echo requests with a chosen identifier, and packets whose headers we write
 * ourselves, to see what the kernel half makes of options, extension headers and fragments.
 */
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S      UINT64_C(1000000000)
#define ECHO_HEADER   8
#define REPLY_WAIT_NS NS_PER_S
#define LARGEST_CHAIN 16

static uint8_t packet[LARGEST_PACKET + 1];

void put16(uint8_t *at, uint64_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

uint32_t sum_pairs(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)byte[i] << 8 | byte[i + 1];
	if (size % 2)
		sum += (uint32_t)byte[size - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_size(size_t size)
{
	if (size > LARGEST_PACKET)
		fail("a packet of %zu bytes is too large", size);
}

/* Echo replies only, and only the peer's: whatever else a raw socket is given passes the ingress
 * hook in our name. */
static int open_echo(const struct arguments *arguments, bool v6)
{
	int fd = open_from(arguments, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	struct icmp6_filter filter6;
	struct icmp_filter filter = { .data = ~(1U << ICMP_ECHOREPLY) };
	union address to = arguments->to;
	int r;

	memset(&filter6, 0xff, sizeof(filter6));
	filter6.data[ICMPV6_ECHO_REPLY >> 5] &= ~(1U << (ICMPV6_ECHO_REPLY & 31));
	r = v6 ? setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, &filter6, sizeof(filter6))
	       : setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
	address_set_port(&to, 0);
	if (r < 0 || connect(fd, &to.any, address_size(&to)) < 0)
		fail_errno("prepare for echo replies");
	return fd;
}

/* True: the reply with that number came. Older ones, which were late, are read and left. */
static bool await_reply(const struct arguments *arguments, int fd, bool v6, uint64_t sequence,
			uint64_t deadline)
{
	static uint8_t reply[LARGEST_PACKET];
	uint8_t *echo = reply;
	uint8_t expected[4];

	put16(expected, arguments->ident);
	put16(expected + 2, sequence);
	while (wait_input(fd, deadline)) {
		ssize_t length = recv(fd, reply, sizeof(reply), MSG_DONTWAIT);

		if (length < 0 && errno != EAGAIN)
			fail_errno("receive");
		/* An IPv4 raw socket is given the IP header too. */
		echo = v6 ? reply : reply + (reply[0] & 15) * 4;
		if (reply + length >= echo + ECHO_HEADER && memcmp(echo + 4, expected, 4) == 0)
			return true;
	}
	return false;
}

int raw_ping(const struct arguments *arguments)
{
	bool v6 = arguments->to.any.sa_family == AF_INET6;
	size_t size = ECHO_HEADER + arguments->size;
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S, sent = 0, received = 0;
	int fd = open_echo(arguments, v6);

	check_size(ip_header(&arguments->to) + size);
	fill_payload(packet + ECHO_HEADER, arguments->size);
	for (; sent < arguments->count && now_ns() < deadline; sent++) {
		uint64_t wait = now_ns() + REPLY_WAIT_NS;

		memset(packet, 0, ECHO_HEADER);
		packet[0] = v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO;
		put16(packet + 4, arguments->ident);
		put16(packet + 6, sent);
		/* The kernel fills in ICMPv6's checksum, which needs the source address. */
		if (!v6)
			put16(packet + 2, ~sum_pairs(0, packet, size));
		if (send(fd, packet, size, 0) < 0)
			fail_errno("send");
		received += await_reply(arguments, fd, v6, sent & 0xffff,
					wait < deadline ? wait : deadline);
	}
	printf("sent=%" PRIu64 " received=%" PRIu64 " ip_bytes_each=%zu\n", sent, received,
	       ip_header(&arguments->to) + size);
	return sent == arguments->count && received == sent ? 0 : TIMED_OUT;
}

union address find_source(const struct arguments *arguments)
{
	union address source = { 0 }, to = arguments->to;
	socklen_t size = sizeof(source);
	int fd;

	if (arguments->from.any.sa_family == to.any.sa_family)
		return arguments->from;
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	address_set_port(&to, 9); /* a datagram socket sends nothing to connect */
	if (fd < 0 || connect(fd, &to.any, address_size(&to)) < 0 ||
	    getsockname(fd, &source.any, &size) < 0)
		fail_errno("find the source address");
	close(fd);
	return source;
}

/* Send what is in packet, as often as told, at once: it is a parser that is tested. */
static int send_packets(const struct arguments *arguments, int fd, size_t size)
{
	union address to = arguments->to;
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S, sent = 0;

	/* The port of an IPv6 raw socket's address is a protocol, and has to fit it. */
	address_set_port(&to, 0);
	while (sent < arguments->count && now_ns() < deadline) {
		if (sendto(fd, packet, size, 0, &to.any, address_size(&to)) >= 0)
			sent++;
		else if (errno == ENOBUFS || errno == EAGAIN)
			sleep_until(now_ns() + 100000);
		else
			fail_errno("send %zu bytes", size);
	}
	printf("packets=%" PRIu64 " ip_bytes_each=%zu ip_bytes=%" PRIu64 "\n", sent, size,
	       sent * size);
	return sent == arguments->count ? 0 : TIMED_OUT;
}

/* In a fragment behind the first there is payload only, which must not be read as ports. */
static size_t put_udp(const struct arguments *arguments, uint8_t *at, uint16_t port)
{
	if (arguments->fragment_offset) {
		fill_payload(at, arguments->size);
		return arguments->size;
	}
	put16(at, arguments->from_port);
	put16(at + 2, port);
	put16(at + 4, UDP_HEADER + arguments->size);
	put16(at + 6, 0);
	fill_payload(at + UDP_HEADER, arguments->size);
	return UDP_HEADER + arguments->size;
}

static void check_fragment(const struct arguments *arguments)
{
	if (arguments->fragment_offset % 8)
		fail("a fragment's offset is a multiple of 8");
}

int raw_ipv4(const struct arguments *arguments)
{
	size_t header = IPV4_HEADER + arguments->option_bytes, size;
	int fd = open_from(arguments, SOCK_RAW, IPPROTO_RAW), on = 1;
	union address source;

	if (arguments->to.any.sa_family != AF_INET)
		fail("raw-ipv4 needs an IPv4 address");
	if (header % 4)
		fail("options come in fours of bytes");
	check_fragment(arguments);
	check_size(header + UDP_HEADER + arguments->size);
	/* Where conntrack is loaded it would collect our fragments before the hook sees them. */
	(void)setsockopt(fd, IPPROTO_IP, IP_NODEFRAG, &on, sizeof(on));

	source = find_source(arguments);
	memset(packet, 0, header);
	size = header + put_udp(arguments, packet + header, ntohs(arguments->to.v4.sin_port));
	packet[0] = (uint8_t)(0x40 | header / 4);
	put16(packet + 2, size);
	put16(packet + 4, 0x544d);
	put16(packet + 6,
	      arguments->fragment_offset / 8 | (arguments->more_fragments ? 0x2000 : 0));
	packet[8] = 64;
	packet[9] = IPPROTO_UDP;
	memcpy(packet + 12, &source.v4.sin_addr, 4);
	memcpy(packet + 16, &arguments->to.v4.sin_addr, 4);
	/* Options that say nothing: the end of the list after no-operations. The kernel puts the
	 * header's checksum in. */
	if (arguments->option_bytes)
		memset(packet + IPV4_HEADER, 1, arguments->option_bytes - 1);
	return send_packets(arguments, fd, size);
}

/* Extension headers, and the last one of a chain, by the name that --chain has for them. */
struct link {
	const char *name;
	uint8_t protocol;
};

static const struct link links[] = {
	{ "hop", IPPROTO_HOPOPTS }, { "dst", IPPROTO_DSTOPTS },	  { "route", IPPROTO_ROUTING },
	{ "ah", IPPROTO_AH },	    { "frag", IPPROTO_FRAGMENT }, { "udp", IPPROTO_UDP },
	{ "none", IPPROTO_NONE },
};

static size_t parse_chain(const char *chain, uint8_t *protocols)
{
	size_t n = 0;

	while (*chain) {
		size_t length = strcspn(chain, ","), i;

		for (i = 0; i < sizeof(links) / sizeof(*links); i++)
			if (strlen(links[i].name) == length &&
			    memcmp(links[i].name, chain, length) == 0)
				break;
		if (i == sizeof(links) / sizeof(*links))
			fail("no header is called '%.*s'", (int)length, chain);
		if (n == LARGEST_CHAIN)
			fail("the chain is too long");
		protocols[n++] = links[i].protocol;
		chain += length + (chain[length] == ',');
	}
	if (n == 0 || (protocols[n - 1] != IPPROTO_UDP && protocols[n - 1] != IPPROTO_NONE))
		fail("a chain ends with udp or none");
	return n;
}

/* One extension header, zeroed before. Returns its length. */
static size_t put_extension(const struct arguments *arguments, uint8_t *at, uint8_t protocol,
			    uint8_t next)
{
	size_t size = arguments->extension_bytes;

	at[0] = next;
	switch (protocol) {
	case IPPROTO_FRAGMENT:
		put16(at + 2, arguments->fragment_offset | arguments->more_fragments);
		put16(at + 6, 0x544d);
		return 8;
	case IPPROTO_AH: /* counted in fours, less 2; a parameters index and no signature */
		at[1] = 16 / 4 - 2;
		at[7] = 1;
		return 16;
	case IPPROTO_ROUTING: /* type 0 with no segments left: everybody ignores it */
		at[1] = (uint8_t)(size / 8 - 1);
		return size;
	default:
		at[1] = (uint8_t)(size / 8 - 1);
		/* Options that a receiver is to skip (RFC 4727): Linux drops more than 7 bytes of
		 * padding. 255 and 2 bytes is the most one takes; a last zero is Pad1. */
		for (size_t i = 2; i + 1 < size;) {
			size_t option = size - i < 257 ? size - i : 257;

			at[i] = 0x1e;
			at[i + 1] = (uint8_t)(option - 2);
			i += option;
		}
		return size;
	}
}

/* IPv6 has no UDP without a checksum. */
void put_udp6_checksum(const union address *source, const union address *destination, uint8_t *udp,
		       size_t size)
{
	uint32_t sum = sum_pairs((uint32_t)size + IPPROTO_UDP, &source->v6.sin6_addr, 16);

	sum = sum_pairs(sum, &destination->v6.sin6_addr, 16);
	sum = sum_pairs(sum, udp, size);
	put16(udp + 6, sum == 0xffff ? sum : ~sum);
}

int raw_ipv6(const struct arguments *arguments)
{
	uint8_t protocols[LARGEST_CHAIN];
	size_t n = parse_chain(arguments->chain, protocols), size = IPV6_HEADER, last;
	int fd = open_from(arguments, SOCK_RAW, IPPROTO_RAW);
	union address source;

	if (arguments->to.any.sa_family != AF_INET6)
		fail("raw-ipv6 needs an IPv6 address");
	if (arguments->extension_bytes < 8 || arguments->extension_bytes % 8)
		fail("an extension header is a multiple of 8 bytes, 8 or more");
	check_fragment(arguments);
	check_size(IPV6_HEADER + n * arguments->extension_bytes + UDP_HEADER + arguments->size);

	source = find_source(arguments);
	memset(packet, 0, sizeof(packet));
	packet[0] = 0x60;
	packet[6] = protocols[0];
	packet[7] = 64;
	memcpy(packet + 8, &source.v6.sin6_addr, 16);
	memcpy(packet + 24, &arguments->to.v6.sin6_addr, 16);
	for (size_t i = 0; i + 1 < n; i++)
		size += put_extension(arguments, packet + size, protocols[i], protocols[i + 1]);
	last = size;
	if (protocols[n - 1] == IPPROTO_UDP)
		size += put_udp(arguments, packet + size, ntohs(arguments->to.v6.sin6_port));
	if (protocols[n - 1] == IPPROTO_UDP && !arguments->fragment_offset)
		put_udp6_checksum(&source, &arguments->to, packet + last, size - last);
	put16(packet + 4, size - IPV6_HEADER);
	return send_packets(arguments, fd, size);
}
