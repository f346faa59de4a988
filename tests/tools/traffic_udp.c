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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S     UINT64_C(1000000000)
#define NS_PER_MS    UINT64_C(1000000)
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

/* The end that the datagram of that number goes to: port by port, then the next address. */
static union address spread_to(const struct arguments *arguments, uint64_t number)
{
	union address to = arguments->to;
	uint32_t step = (uint32_t)(number / arguments->spread_ports % arguments->spread_addresses);
	uint32_t last;

	/* The port's bytes are where they are in both families. */
	address_set_port(&to, (uint16_t)(ntohs(to.v4.sin_port) + number % arguments->spread_ports));
	if (to.any.sa_family == AF_INET) {
		to.v4.sin_addr.s_addr = htonl(ntohl(to.v4.sin_addr.s_addr) + step);
		return to;
	}
	memcpy(&last, &to.v6.sin6_addr.s6_addr[12], sizeof(last));
	last = htonl(ntohl(last) + step);
	memcpy(&to.v6.sin6_addr.s6_addr[12], &last, sizeof(last));
	return to;
}

/* Send up to n (at most BATCH) datagrams, of which the first has that number. Returns how many went,
 * 0 when it is to be tried again. */
static uint64_t send_some(const struct arguments *arguments, int fd, uint64_t number, uint64_t n)
{
	struct iovec vector = { .iov_base = payload, .iov_len = arguments->size };
	union address to[BATCH];
	struct mmsghdr messages[BATCH];
	int sent;

	memset(messages, 0, sizeof(*messages) * n);
	for (uint64_t i = 0; i < n; i++) {
		messages[i].msg_hdr.msg_iov = &vector;
		messages[i].msg_hdr.msg_iovlen = 1;
		if (arguments->connected)
			continue;
		to[i] = spread_to(arguments, number + i);
		messages[i].msg_hdr.msg_name = &to[i];
		messages[i].msg_hdr.msg_namelen = address_size(&to[i]);
	}
	sent = sendmmsg(fd, messages, (unsigned int)n, 0);
	if (sent >= 0)
		return (uint64_t)sent;
	if (!is_passing(errno))
		fail_errno("send");
	return 0;
}

/* Each end is another flow. Returns how many there are. */
static uint64_t count_ends(const struct arguments *arguments)
{
	uint64_t ends = arguments->spread_ports * arguments->spread_addresses;

	if (!ends)
		fail("spread over nothing");
	if (ends > 1 && arguments->connected)
		fail("a connected socket has one end: --connected and --spread don't go together");
	if (ntohs(arguments->to.v4.sin_port) + arguments->spread_ports - 1 > UINT16_MAX)
		fail("there is no port beyond %d", UINT16_MAX);
	return ends;
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
	uint64_t count = arguments->count * count_ends(arguments), sent = 0;
	uint64_t start = now_ns(), deadline = start + arguments->timeout_s * NS_PER_S;

	while (sent < count && now_ns() < deadline) {
		uint64_t n = arguments->batch ? BATCH : 1, went;

		if (arguments->rate)
			sleep_until(start + sent * NS_PER_S / arguments->rate);
		if (n > count - sent)
			n = count - sent;
		went = send_some(arguments, fd, sent, n);
		if (went == 0)
			sleep_until(now_ns() + 100000);
		sent += went;
	}
	print_sent(arguments, sent);
	putchar('\n');
	if (sent == count)
		return 0;
	fprintf(stderr, "traffic: %" PRIu64 " of %" PRIu64 " datagrams in %" PRIu64 " s\n", sent,
		count, arguments->timeout_s);
	return TIMED_OUT;
}

/* A connected socket for each flow, so that they differ in the source port alone and one receiver
 * may have them all. */
static int *open_flows(const struct arguments *arguments)
{
	struct arguments one = *arguments;
	int *fds = calloc(arguments->spread, sizeof(*fds));

	if (!fds || !arguments->spread)
		fail("there have to be flows, and memory for them");
	allow_files(arguments->spread);
	for (uint64_t i = 0; i < arguments->spread; i++) {
		fds[i] = open_sender(&one, true);
		one.from_port = (uint16_t)(one.from_port + (one.from_port != 0));
	}
	return fds;
}

/* A test that has seen enough ends the flood, and is told all the same how much it was. */
static volatile sig_atomic_t is_stopped;

static void on_stop(int number)
{
	(void)number;
	is_stopped = 1;
}

int udp_flood(const struct arguments *arguments)
{
	int *fds = open_flows(arguments);
	uint64_t start = now_ns(), end = start + arguments->duration_ms * NS_PER_MS, now;
	uint64_t sent = 0, flow = 0;
	double seconds;

	signal(SIGTERM, on_stop);
	/* One system call a packet, as a program has it; the clock is read now and then. */
	do {
		if (arguments->rate)
			sleep_until(start + sent * NS_PER_S / arguments->rate);
		for (int i = 0; i < BATCH; i++) {
			if (send(fds[flow], payload, arguments->size, 0) >= 0)
				sent++;
			else if (!is_passing(errno))
				fail_errno("send");
			flow = flow + 1 == arguments->spread ? 0 : flow + 1;
		}
		now = now_ns();
	} while (now < end && !is_stopped);
	free(fds);
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
