// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TCP: so many bytes one way, an end, so many bytes back. How many packets that takes is the
 * kernel's affair, so their bytes can only be compared with a witness (nftables).
 */
#include "traffic.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define CHUNK	 65536

static uint8_t chunk[CHUNK];

/* A call on the socket that makes no progress for that long fails with EAGAIN. */
static void set_timeouts(int fd, uint64_t timeout_s)
{
	struct timeval time = { .tv_sec = (time_t)timeout_s };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) < 0)
		fail_errno("set a timeout");
}

static void write_bytes(int fd, uint64_t bytes)
{
	while (bytes) {
		ssize_t length = send(fd, chunk, bytes < CHUNK ? bytes : CHUNK, MSG_NOSIGNAL);

		if (length < 0)
			fail_errno("send, %" PRIu64 " bytes to go", bytes);
		bytes -= (uint64_t)length;
	}
}

static uint64_t read_to_end(int fd)
{
	uint64_t bytes = 0;
	ssize_t length;

	while ((length = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		bytes += (uint64_t)length;
	if (length < 0)
		fail_errno("receive, after %" PRIu64 " bytes", bytes);
	return bytes;
}

int tcp_serve(const struct arguments *arguments)
{
	int fd = open_bound(arguments, SOCK_STREAM);
	uint64_t deadline, connections = 0, received = 0;

	if (listen(fd, 4096) < 0)
		fail_errno("listen");
	say_ready(arguments);
	deadline = now_ns() + arguments->timeout_s * NS_PER_S;
	while (connections < arguments->connections && wait_input(fd, deadline)) {
		int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0)
			fail_errno("accept");
		set_timeouts(peer, arguments->timeout_s);
		received += read_to_end(peer);
		fill_payload(chunk, sizeof(chunk));
		write_bytes(peer, arguments->reply);
		close(peer);
		connections++;
	}
	printf("connections=%" PRIu64 " received_bytes=%" PRIu64 " sent_bytes=%" PRIu64 "\n",
	       connections, received, connections * arguments->reply);
	return connections == arguments->connections ? 0 : TIMED_OUT;
}

int tcp_send(const struct arguments *arguments)
{
	int fd = open_from(arguments, SOCK_STREAM, 0);
	uint64_t received;

	set_timeouts(fd, arguments->timeout_s);
	fill_payload(chunk, sizeof(chunk));
	if (connect(fd, &arguments->to.any, address_size(&arguments->to)) < 0)
		fail_errno("connect");
	write_bytes(fd, arguments->bytes);
	if (shutdown(fd, SHUT_WR) < 0)
		fail_errno("end the sending");
	received = read_to_end(fd);
	printf("sent_bytes=%" PRIu64 " received_bytes=%" PRIu64 "\n", arguments->bytes, received);
	fflush(stdout);
	if (received != arguments->expect_reply)
		fail("expected a reply of %" PRIu64 " bytes, got %" PRIu64, arguments->expect_reply,
		     received);
	return 0;
}
