// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * UDP: exactly as many datagrams as told, or as many as go in a time.
 *
 * A datagram that the kernel has taken has passed the egress hook once. IP_RECVERR is never set:
 * it would make a drop behind the hook (in a qdisc) an error here, and the repetition would be
 * counted twice.
 */
#include "traffic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_S     UINT64_C(1000000000)
#define BATCH	     64
#define BUFFER_BYTES (4 << 20)

static uint8_t payload[LARGEST_PACKET];

/* Not sent, and worth another try: no room, or the report of an earlier one's ICMP error, which
 * takes the place of the send on a connected socket. */
static bool is_passing(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ECONNREFUSED || error == EINTR;
}

static int open_sender(const struct arguments *arguments, bool connected)
{
	int fd = open_from(arguments, SOCK_DGRAM, 0), size_bytes = BUFFER_BYTES;

	/* As large as the system allows; smaller only makes it slower. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size_bytes, sizeof(size_bytes));
	if (connected && connect(fd, &arguments->to.any, address_size(&arguments->to)) < 0)
		fail_errno("connect");
	fill_payload(payload, sizeof(payload));
	return fd;
}

/* Send up to n (at most BATCH) datagrams. Returns how many went, 0 when it is to be tried again. */
static uint64_t send_some(const struct arguments *arguments, int fd, bool connected, uint64_t n)
{
	struct iovec vector = { .iov_base = payload, .iov_len = arguments->size };
	union address to = arguments->to;
	struct mmsghdr messages[BATCH];
	int sent;

	memset(messages, 0, sizeof(*messages) * n);
	for (uint64_t i = 0; i < n; i++) {
		messages[i].msg_hdr.msg_iov = &vector;
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = connected ? NULL : &to;
		messages[i].msg_hdr.msg_namelen = connected ? 0 : address_size(&to);
	}
	sent = sendmmsg(fd, messages, (unsigned int)n, 0);
	if (sent >= 0)
		return (uint64_t)sent;
	if (!is_passing(errno))
		fail_errno("send");
	return 0;
}

static void print_sent(const struct arguments *arguments, uint64_t packets)
{
	printf("packets=%" PRIu64 " payload_bytes=%" PRIu64 " ip_bytes=%" PRIu64, packets,
	       packets * arguments->size,
	       packets * (ip_header(&arguments->to) + UDP_HEADER + arguments->size));
}

int udp_send(const struct arguments *arguments)
{
	int fd = open_sender(arguments, arguments->connected);
	uint64_t start = now_ns(), deadline = start + arguments->timeout_s * NS_PER_S, sent = 0;

	while (sent < arguments->count && now_ns() < deadline) {
		uint64_t n = arguments->batch ? BATCH : 1, went;

		if (arguments->rate)
			sleep_until(start + sent * NS_PER_S / arguments->rate);
		if (n > arguments->count - sent)
			n = arguments->count - sent;
		went = send_some(arguments, fd, arguments->connected, n);
		if (went == 0)
			sleep_until(now_ns() + 100000);
		sent += went;
	}
	print_sent(arguments, sent);
	putchar('\n');
	return sent == arguments->count ? 0 : TIMED_OUT;
}

int udp_flood(const struct arguments *arguments)
{
	int fd = open_sender(arguments, true);
	uint64_t start = now_ns(), end = start + arguments->seconds * NS_PER_S, now, sent = 0;
	double seconds;

	/* One system call a packet, as a program has it; the clock is read now and then. */
	do {
		for (int i = 0; i < BATCH; i++) {
			if (send(fd, payload, arguments->size, 0) >= 0)
				sent++;
			else if (!is_passing(errno))
				fail_errno("send");
		}
		now = now_ns();
	} while (now < end);
	seconds = (double)(now - start) / 1e9;
	print_sent(arguments, sent);
	printf(" seconds=%.3f rate=%.0f\n", seconds, (double)sent / seconds);
	return 0;
}

static int open_receiver(const struct arguments *arguments)
{
	int fd = open_bound(arguments, SOCK_DGRAM), size_bytes = BUFFER_BYTES;

	/* Beyond the system's bound where we may: what finds no room here was still metered, but
	 * the sums at both ends would differ. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size_bytes, sizeof(size_bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size_bytes, sizeof(size_bytes));
	return fd;
}

static int receive(const struct arguments *arguments, bool echo)
{
	int fd = open_receiver(arguments);
	uint64_t deadline, packets = 0, bytes = 0;
	ssize_t length;

	say_ready(arguments);
	deadline = now_ns() + arguments->timeout_s * NS_PER_S;
	while (packets < arguments->count && wait_input(fd, deadline)) {
		union address from;
		socklen_t from_size = sizeof(from);

		length =
			recvfrom(fd, payload, sizeof(payload), MSG_DONTWAIT, &from.any, &from_size);
		if (length < 0 && is_passing(errno))
			continue;
		if (length < 0)
			fail_errno("receive");
		packets++;
		bytes += (uint64_t)length;
		while (echo && sendto(fd, payload, (size_t)length, 0, &from.any, from_size) < 0) {
			if (!is_passing(errno))
				fail_errno("send back");
			sleep_until(now_ns() + 100000);
		}
	}
	printf("packets=%" PRIu64 " payload_bytes=%" PRIu64 " ip_bytes=%" PRIu64 "\n", packets,
	       bytes, bytes + packets * (ip_header(&arguments->bind) + UDP_HEADER));
	return packets == arguments->count ? 0 : TIMED_OUT;
}

int udp_receive(const struct arguments *arguments)
{
	return receive(arguments, false);
}

int udp_echo(const struct arguments *arguments)
{
	return receive(arguments, true);
}
