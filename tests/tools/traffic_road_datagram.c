// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roads of datagrams, of which each is --size bytes and the last what is left: UDP, raw sockets,
 * echo requests. Their number is known, and so are the bytes from the IP header on.
 */
#include "traffic_roads.h"

#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S      UINT64_C(1000000000)
#define BATCH	      16
#define PROTOCOL      253 /* RFC 3692: for experiments */
#define ECHO_HEADER   8
#define SUPER_BYTES   40000
#define LARGEST_SUPER 64 /* segments: what the oldest kernels take */

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static uint8_t payload[LARGEST_PACKET];

size_t datagram_size(const struct arguments *arguments, uint64_t moved)
{
	uint64_t left = arguments->bytes - moved;

	return left < arguments->size ? left : arguments->size;
}

void count_datagram(const struct arguments *arguments, struct moved *moved, size_t header,
		    size_t size)
{
	const union address *end = arguments->to.any.sa_family ? &arguments->to : &arguments->bind;

	moved->bytes += size;
	moved->packets++;
	moved->ip_bytes += ip_header(end) + header + size;
}

/* Each goes once: what the kernel takes has passed the hook, and what it has no room for waits. */
static void send_datagram(int fd, const void *bytes, size_t size, const union address *to)
{
	while (sendto(fd, bytes, size, 0, to ? &to->any : NULL, to ? address_size(to) : 0) < 0) {
		if (errno != ENOBUFS && errno != EAGAIN)
			fail_errno("send %zu bytes", size);
		sleep_until(now_ns() + 100000);
	}
}

static struct moved send_all(const struct arguments *arguments, int fd, const union address *to,
			     size_t header)
{
	struct moved moved = { 0 };

	fill_payload(payload, sizeof(payload));
	while (moved.bytes < arguments->bytes) {
		size_t size = datagram_size(arguments, moved.bytes);

		send_datagram(fd, payload, size, to);
		count_datagram(arguments, &moved, header, size);
	}
	close(fd);
	return moved;
}

/* `skip` bytes of each are headers that the socket is given too. */
static struct moved receive_all(const struct arguments *arguments, int fd, size_t header,
				size_t skip)
{
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S;
	struct moved moved = { 0 };

	say_ready(arguments);
	while (moved.bytes < arguments->bytes && wait_input(fd, deadline)) {
		ssize_t length = recv(fd, payload, sizeof(payload), MSG_DONTWAIT);

		if (length < (ssize_t)skip)
			fail_errno("receive");
		count_datagram(arguments, &moved, header, (size_t)length - skip);
	}
	close(fd);
	return moved;
}

static void connect_to(const struct arguments *arguments, int fd, bool port)
{
	union address to = arguments->to;

	if (!port)
		address_set_port(&to, 0);
	if (connect(fd, &to.any, address_size(&to)) < 0)
		fail_errno("connect");
}

struct moved unconnected_send(const struct arguments *arguments)
{
	return send_all(arguments, road_open(arguments, SOCK_DGRAM, 0), &arguments->to, UDP_HEADER);
}

struct moved connected_send(const struct arguments *arguments)
{
	int fd = road_open(arguments, SOCK_DGRAM, 0);

	connect_to(arguments, fd, true);
	return send_all(arguments, fd, NULL, UDP_HEADER);
}

struct moved datagram_receive(const struct arguments *arguments)
{
	return receive_all(arguments, open_bound(arguments, SOCK_DGRAM), UDP_HEADER, 0);
}

struct moved batch_send(const struct arguments *arguments)
{
	int fd = road_open(arguments, SOCK_DGRAM, 0), sent;
	struct moved moved = { 0 };

	connect_to(arguments, fd, true);
	fill_payload(payload, sizeof(payload));
	while (moved.bytes < arguments->bytes) {
		struct mmsghdr messages[BATCH] = { 0 };
		struct iovec vectors[BATCH];
		uint64_t planned = moved.bytes;
		unsigned int n = 0;

		for (; n < BATCH && planned < arguments->bytes; n++) {
			vectors[n] = (struct iovec){ payload, datagram_size(arguments, planned) };
			messages[n].msg_hdr.msg_iov = &vectors[n];
			messages[n].msg_hdr.msg_iovlen = 1;
			planned += vectors[n].iov_len;
		}
		sent = sendmmsg(fd, messages, n, 0);
		if (sent < 0)
			fail_errno("send a batch");
		for (int i = 0; i < sent; i++)
			count_datagram(arguments, &moved, UDP_HEADER, vectors[i].iov_len);
	}
	close(fd);
	return moved;
}

struct moved batch_receive(const struct arguments *arguments)
{
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S;
	int fd = open_bound(arguments, SOCK_DGRAM), received;
	struct moved moved = { 0 };

	say_ready(arguments);
	while (moved.bytes < arguments->bytes && wait_input(fd, deadline)) {
		/* All into the one buffer: it is their lengths that count. */
		struct iovec vector = { payload, sizeof(payload) };
		struct mmsghdr messages[BATCH] = { 0 };

		for (int i = 0; i < BATCH; i++) {
			messages[i].msg_hdr.msg_iov = &vector;
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		received = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
		if (received < 0)
			fail_errno("receive a batch");
		for (int i = 0; i < received; i++)
			count_datagram(arguments, &moved, UDP_HEADER, messages[i].msg_len);
	}
	close(fd);
	return moved;
}

/* One call hands over a packet of many datagrams, which is cut behind the hook. */
struct moved segment_send(const struct arguments *arguments)
{
	int fd = road_open(arguments, SOCK_DGRAM, 0), size = (int)arguments->size;
	uint64_t segments = SUPER_BYTES / arguments->size, super;
	struct moved moved = { 0 };

	connect_to(arguments, fd, true);
	fill_payload(payload, sizeof(payload));
	if (segments < 2)
		fail("no two segments of that --size fit");
	super = (segments < LARGEST_SUPER ? segments : LARGEST_SUPER) * arguments->size;
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
		fail_errno("set the size of segments");
	while (moved.bytes < arguments->bytes) {
		uint64_t left = arguments->bytes - moved.bytes;
		uint64_t end = moved.bytes + (left < super ? left : super);

		send_datagram(fd, payload, end - moved.bytes, NULL);
		while (moved.bytes < end)
			count_datagram(arguments, &moved, UDP_HEADER,
				       datagram_size(arguments, moved.bytes));
	}
	close(fd);
	return moved;
}

bool segment_is_here(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 1000, r;

	if (fd < 0)
		fail_errno("make a socket");
	r = setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	close(fd);
	return r == 0;
}

/* --device is the interface on which the group is. */
static void join_group(const struct arguments *arguments, int fd, const union address *group)
{
	struct group_req request = { .gr_interface = device_index(arguments) };
	int level = group->any.sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;

	memcpy(&request.gr_group, group, sizeof(*group));
	if (setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof(request)) < 0)
		fail_errno("join the group");
}

static int open_multicast(const struct arguments *arguments, int loop)
{
	struct ip_mreqn request = { .imr_ifindex = (int)device_index(arguments) };
	bool v6 = arguments->to.any.sa_family == AF_INET6;
	int fd = road_open(arguments, SOCK_DGRAM, 0), r;

	r = v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &request.imr_ifindex,
			    sizeof(request.imr_ifindex))
	       : setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request));
	if (r == 0)
		r = v6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loop, sizeof(loop))
		       : setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop));
	if (r < 0)
		fail_errno("prepare for the group");
	return fd;
}

struct moved multicast_send(const struct arguments *arguments)
{
	return send_all(arguments, open_multicast(arguments, 0), &arguments->to, UDP_HEADER);
}

/* With a member on this machine too, which has the kernel make a copy. Nobody reads it: the group is
 * joined by a socket that is not bound to the port. */
struct moved multicast_loop_send(const struct arguments *arguments)
{
	int fd = open_multicast(arguments, 1);

	join_group(arguments, fd, &arguments->to);
	return send_all(arguments, fd, &arguments->to, UDP_HEADER);
}

/* --bind is the group. */
struct moved multicast_receive(const struct arguments *arguments)
{
	int fd = open_bound(arguments, SOCK_DGRAM);

	join_group(arguments, fd, &arguments->bind);
	return receive_all(arguments, fd, UDP_HEADER, 0);
}

/* A protocol that no kernel knows, so that it is the raw socket's alone. */
struct moved protocol_send(const struct arguments *arguments)
{
	int fd = road_open(arguments, SOCK_RAW, PROTOCOL);

	connect_to(arguments, fd, false);
	return send_all(arguments, fd, NULL, 0);
}

struct moved protocol_receive(const struct arguments *arguments)
{
	union address address = arguments->bind;
	int fd = socket(address.any.sa_family, SOCK_RAW | SOCK_CLOEXEC, PROTOCOL);

	address_set_port(&address, 0);
	if (fd < 0 || bind(fd, &address.any, address_size(&address)) < 0)
		fail_errno("open a raw socket");
	/* An IPv4 raw socket is given the IP header too. */
	return receive_all(arguments, fd, 0, address.any.sa_family == AF_INET ? IPV4_HEADER : 0);
}

/* Echo requests, each answered before the next, so that the answers are as many. */
static struct moved echo_all(const struct arguments *arguments, int type)
{
	bool v6 = arguments->to.any.sa_family == AF_INET6;
	int fd = road_open(arguments, type, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S;
	struct moved moved = { 0 };

	connect_to(arguments, fd, false);
	if (type == SOCK_RAW && v6) {
		struct icmp6_filter filter;

		/* Neighbour discovery is no answer, and would be metered as ours. */
		memset(&filter, 0xff, sizeof(filter));
		filter.data[ICMPV6_ECHO_REPLY >> 5] &= ~(1U << (ICMPV6_ECHO_REPLY & 31));
		if (setsockopt(fd, IPPROTO_ICMPV6, ICMPV6_FILTER, &filter, sizeof(filter)) < 0)
			fail_errno("ask for echo replies");
	}
	fill_payload(payload, sizeof(payload));
	while (moved.bytes < arguments->bytes) {
		size_t size = datagram_size(arguments, moved.bytes);
		static uint8_t reply[LARGEST_PACKET];

		memset(payload, 0, ECHO_HEADER);
		payload[0] = v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO;
		put16(payload + 4, arguments->ident);
		put16(payload + 6, moved.packets);
		if (type == SOCK_RAW && !v6)
			put16(payload + 2, ~sum_pairs(0, payload, ECHO_HEADER + size));
		send_datagram(fd, payload, ECHO_HEADER + size, NULL);
		if (!wait_input(fd, deadline) || recv(fd, reply, sizeof(reply), 0) < 0)
			fail("echo request %llu was not answered",
			     (unsigned long long)moved.packets);
		count_datagram(arguments, &moved, ECHO_HEADER, size);
	}
	close(fd);
	return moved;
}

struct moved echo_send(const struct arguments *arguments)
{
	return echo_all(arguments, SOCK_DGRAM);
}

struct moved raw_echo_send(const struct arguments *arguments)
{
	return echo_all(arguments, SOCK_RAW);
}
