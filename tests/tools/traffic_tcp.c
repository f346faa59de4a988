// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TCP: so many bytes one way, an end, so many bytes back. How many packets that takes is the
 * kernel's affair, so their bytes can only be compared with a witness (nftables).
 */
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define CHUNK	 65536

static uint8_t chunk[CHUNK];

void set_timeouts(int fd, uint64_t timeout_s)
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

uint64_t read_bytes(int fd, uint64_t limit)
{
	uint64_t bytes = 0;
	ssize_t length = 1;

	while (bytes < limit && length > 0) {
		length = recv(fd, chunk, limit - bytes < CHUNK ? limit - bytes : CHUNK, 0);
		if (length < 0)
			fail_errno("receive, after %" PRIu64 " bytes", bytes);
		bytes += (uint64_t)length;
	}
	return bytes;
}

static uint64_t read_to_end(int fd)
{
	return read_bytes(fd, UINT64_MAX);
}

struct server {
	const struct arguments *arguments;
	struct pollfd *listeners;
	uint64_t connections, received;
};

static void open_listeners(struct server *server)
{
	struct arguments one = *server->arguments;

	server->listeners = calloc(one.ports, sizeof(*server->listeners));
	if (!server->listeners || !one.ports)
		fail("there have to be ports, and memory for them");
	allow_files(one.ports);
	for (uint64_t i = 0; i < one.ports; i++) {
		int fd = open_bound(&one, SOCK_STREAM);

		/* A client that went away between poll() and accept() must not stop the others. */
		if (listen(fd, 4096) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
			fail_errno("listen");
		server->listeners[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
		address_set_port(&one.bind, (uint16_t)(ntohs(one.bind.v4.sin_port) + 1));
	}
}

/* Serve all who wait at that listener. */
static void serve(struct server *server, int listener)
{
	const struct arguments *arguments = server->arguments;

	while (server->connections < arguments->connections) {
		int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (peer < 0 && errno == EAGAIN)
			return;
		if (peer < 0)
			fail_errno("accept");
		set_timeouts(peer, arguments->timeout_s);
		server->received += read_bytes(peer, arguments->expect);
		fill_payload(chunk, sizeof(chunk));
		write_bytes(peer, arguments->reply);
		close(peer);
		server->connections++;
	}
}

int tcp_serve(const struct arguments *arguments)
{
	struct server server = { .arguments = arguments };
	uint64_t deadline, now;

	open_listeners(&server);
	say_ready(arguments);
	deadline = now_ns() + arguments->timeout_s * NS_PER_S;
	while (server.connections < arguments->connections && (now = now_ns()) < deadline) {
		int n = poll(server.listeners, arguments->ports, (int)((deadline - now) / 1000000));

		if (n < 0)
			fail_errno("wait");
		for (uint64_t i = 0; i < arguments->ports && n > 0; i++)
			if (server.listeners[i].revents)
				serve(&server, server.listeners[i].fd);
	}
	free(server.listeners);
	printf("connections=%" PRIu64 " received_bytes=%" PRIu64 " sent_bytes=%" PRIu64 "\n",
	       server.connections, server.received, server.connections * arguments->reply);
	return server.connections == arguments->connections ? 0 : TIMED_OUT;
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

/* The socket is closed only after the peer's end was read: then it is the peer that lingers in
 * TIME_WAIT, and all packets of this side are an open socket's. */
int tcp_many(const struct arguments *arguments)
{
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S, done = 0, received = 0;

	for (; done < arguments->connections && now_ns() < deadline; done++) {
		int fd = open_from(arguments, SOCK_STREAM, 0);

		set_timeouts(fd, arguments->timeout_s);
		fill_payload(chunk, sizeof(chunk));
		if (connect(fd, &arguments->to.any, address_size(&arguments->to)) < 0)
			fail_errno("connect, after %" PRIu64 " connections", done);
		write_bytes(fd, arguments->bytes);
		received += read_to_end(fd);
		close(fd);
	}
	printf("connections=%" PRIu64 " sent_bytes=%" PRIu64 " received_bytes=%" PRIu64 "\n", done,
	       done * arguments->bytes, received);
	fflush(stdout);
	if (received != done * arguments->expect_reply)
		fail("expected replies of %" PRIu64 " bytes, got %" PRIu64,
		     done * arguments->expect_reply, received);
	return done == arguments->connections ? 0 : TIMED_OUT;
}
