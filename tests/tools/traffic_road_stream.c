// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Roads over a connection: what the kernel is given is known, how it cuts that into packets is not.
 * The receiver closes when it has read all, and the sender waits for that, so that no packet is
 * left to a socket that both have forgotten.
 */
#include "traffic_roads.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <linux/tls.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)
#define CHUNK	 65536

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef TCP_IS_MPTCP
#define TCP_IS_MPTCP 43
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

static uint8_t chunk[CHUNK];

static size_t next_chunk(const struct arguments *arguments, uint64_t sent)
{
	return arguments->bytes - sent < CHUNK ? arguments->bytes - sent : CHUNK;
}

int stream_connect(const struct arguments *arguments, int protocol)
{
	int fd = road_open(arguments, SOCK_STREAM, protocol);

	set_timeouts(fd, arguments->timeout_s);
	if (connect(fd, &arguments->to.any, address_size(&arguments->to)) < 0)
		fail_errno("connect");
	fill_payload(chunk, sizeof(chunk));
	return fd;
}

static int stream_bind(const struct arguments *arguments, int protocol)
{
	const union address *address = &arguments->bind;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, protocol), on = 1;

	if (fd < 0)
		fail_errno("make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, &address->any, address_size(address)) < 0)
		fail_errno("bind");
	return fd;
}

static int stream_serve(const struct arguments *arguments, int listener)
{
	int fd;

	if (listen(listener, 1) < 0)
		fail_errno("listen");
	set_timeouts(listener, arguments->timeout_s);
	say_ready(arguments);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		fail_errno("accept");
	/* The listener stays: MPTCP's further paths come to it. */
	set_timeouts(fd, arguments->timeout_s);
	return fd;
}

int stream_accept(const struct arguments *arguments, int protocol)
{
	return stream_serve(arguments, stream_bind(arguments, protocol));
}

struct moved stream_sent(const struct arguments *arguments, int fd)
{
	struct moved moved = { .bytes = arguments->bytes };
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (shutdown(fd, SHUT_WR) < 0)
		fail_errno("end the sending");
	if (read_bytes(fd, UINT64_MAX) != 0)
		fail("the receiver said something");
	/* Not TCP, or an older kernel: not known. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0)
		moved.resent = info.tcpi_bytes_retrans;
	close(fd);
	return moved;
}

struct moved stream_receive(const struct arguments *arguments, int fd)
{
	struct moved moved = { .bytes = read_bytes(fd, arguments->bytes) };

	/* The end, and what there is too much. */
	moved.bytes += read_bytes(fd, UINT64_MAX);
	close(fd);
	return moved;
}

static void send_chunks(const struct arguments *arguments, int fd)
{
	for (uint64_t sent = 0; sent < arguments->bytes;) {
		ssize_t length = send(fd, chunk, next_chunk(arguments, sent), MSG_NOSIGNAL);

		if (length < 0)
			fail_errno("send, after %" PRIu64 " bytes", sent);
		sent += (uint64_t)length;
	}
}

struct moved plain_receive(const struct arguments *arguments)
{
	return stream_receive(arguments, stream_accept(arguments, 0));
}

struct moved sendfile_send(const struct arguments *arguments)
{
	int file = memfd_create("traffic", MFD_CLOEXEC), fd = stream_connect(arguments, 0);

	if (file < 0 || ftruncate(file, (off_t)arguments->bytes) < 0)
		fail_errno("make a file");
	for (uint64_t sent = 0; sent < arguments->bytes;) {
		ssize_t length = sendfile(fd, file, NULL, arguments->bytes - sent);

		if (length <= 0)
			fail_errno("sendfile, after %" PRIu64 " bytes", sent);
		sent += (uint64_t)length;
	}
	close(file);
	return stream_sent(arguments, fd);
}

/* All of it, from one descriptor to the other, of which one is a pipe. */
static void splice_all(int from, int to, size_t size)
{
	while (size) {
		ssize_t length = splice(from, NULL, to, NULL, size, SPLICE_F_MOVE);

		if (length <= 0)
			fail_errno("splice, %zu bytes to go", size);
		size -= (size_t)length;
	}
}

struct moved splice_send(const struct arguments *arguments)
{
	int pipe_fds[2], fd = stream_connect(arguments, 0);
	uint64_t sent = 0;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		fail_errno("make a pipe");
	while (sent < arguments->bytes) {
		/* Pages of ours, which stay as they are: a pipe holds 16 by default. */
		struct iovec vector = { chunk, next_chunk(arguments, sent) };
		ssize_t length = vmsplice(pipe_fds[1], &vector, 1, 0);

		if (length < 0)
			fail_errno("vmsplice");
		splice_all(pipe_fds[0], fd, (size_t)length);
		sent += (uint64_t)length;
	}
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return stream_sent(arguments, fd);
}

struct moved splice_receive(const struct arguments *arguments)
{
	int pipe_fds[2], nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int fd = stream_accept(arguments, 0);
	struct moved moved = { 0 };
	ssize_t length;

	if (nowhere < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
		fail_errno("make a pipe");
	while ((length = splice(fd, NULL, pipe_fds[1], NULL, CHUNK, SPLICE_F_MOVE)) > 0) {
		splice_all(pipe_fds[0], nowhere, (size_t)length);
		moved.bytes += (uint64_t)length;
	}
	if (length < 0)
		fail_errno("splice");
	close(fd);
	return moved;
}

/* Read the completions that there are; the range of sends that one is for is in its own words. */
static uint32_t read_completions(int fd)
{
	uint32_t completed = 0;
	uint8_t control[256];

	for (;;) {
		struct msghdr message = { .msg_control = control,
					  .msg_controllen = sizeof(control) };
		struct sock_extended_err error;
		struct cmsghdr *header;

		if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
			if (errno != EAGAIN)
				fail_errno("read completions");
			return completed;
		}
		header = CMSG_FIRSTHDR(&message);
		if (!header)
			fail("a completion says nothing");
		memcpy(&error, CMSG_DATA(header), sizeof(error));
		if (error.ee_errno || error.ee_origin != SO_EE_ORIGIN_ZEROCOPY)
			fail("an error stands where a completion should: %u", error.ee_errno);
		completed += error.ee_data - error.ee_info + 1;
	}
}

struct moved zerocopy_send(const struct arguments *arguments)
{
	int fd = stream_connect(arguments, 0), on = 1;
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S, sent = 0;
	uint32_t sends = 0, completed = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)) < 0)
		fail_errno("allow MSG_ZEROCOPY");
	while (sent < arguments->bytes || completed < sends) {
		struct pollfd poll_fd = { .fd = fd };
		ssize_t length;

		if (now_ns() > deadline)
			fail("%u of %u sends were completed", completed, sends);
		if (sent == arguments->bytes) {
			/* POLLERR is always asked for: the error queue has something. */
			if (poll(&poll_fd, 1, 1000) < 0)
				fail_errno("wait");
			completed += read_completions(fd);
			continue;
		}
		length = send(fd, chunk, next_chunk(arguments, sent), MSG_ZEROCOPY | MSG_NOSIGNAL);
		if (length < 0 && errno != ENOBUFS)
			fail_errno("send without copying");
		completed += read_completions(fd);
		if (length < 0)
			continue;
		sends++;
		sent += (uint64_t)length;
	}
	return stream_sent(arguments, fd);
}

/* The SYN has data in it: where the peer's kernel allows that without a cookie, at once. */
struct moved fastopen_send(const struct arguments *arguments)
{
	int fd = road_open(arguments, SOCK_STREAM, 0);
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);
	struct arguments rest = *arguments;
	struct moved moved;
	ssize_t length;

	set_timeouts(fd, arguments->timeout_s);
	fill_payload(chunk, sizeof(chunk));
	length = sendto(fd, chunk, next_chunk(arguments, 0), MSG_FASTOPEN | MSG_NOSIGNAL,
			&arguments->to.any, address_size(&arguments->to));
	if (length < 0)
		fail_errno("send with the SYN");
	rest.bytes -= (uint64_t)length;
	send_chunks(&rest, fd);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		fail_errno("ask about the connection");
	if (!(info.tcpi_options & TCPI_OPT_SYN_DATA))
		fail("the SYN had no data; see net.ipv4.tcp_fastopen");
	moved = stream_sent(&rest, fd);
	moved.bytes += (uint64_t)length;
	return moved;
}

struct moved fastopen_receive(const struct arguments *arguments)
{
	int listener = stream_bind(arguments, 0), queue = 4;

	if (setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)) < 0)
		fail_errno("allow data in the SYN");
	return stream_receive(arguments, stream_serve(arguments, listener));
}

/* A constant key and a nonce that starts at zero: it is the road that is tested, not the secret. */
static void ktls_start(int fd, int direction)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { .version = TLS_1_2_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 },
		.key = "traffic-meter 1",
		.salt = "tm",
	};

	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
		fail_errno("put TLS on the connection");
	if (setsockopt(fd, SOL_TLS, direction, &keys, sizeof(keys)) < 0)
		fail_errno("give the kernel the key");
}

struct moved ktls_send(const struct arguments *arguments)
{
	int fd = stream_connect(arguments, 0);

	ktls_start(fd, TLS_TX);
	send_chunks(arguments, fd);
	return stream_sent(arguments, fd);
}

struct moved ktls_receive(const struct arguments *arguments)
{
	int fd = stream_accept(arguments, 0);

	ktls_start(fd, TLS_RX);
	return stream_receive(arguments, fd);
}

/* On a socket without a connection a kernel that has TLS says ENOTCONN; root's asking loads it. */
bool ktls_is_here(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		fail_errno("make a socket");
	r = setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 ? errno : 0;
	close(fd);
	return r == 0 || r == ENOTCONN;
}

static bool has_protocol(int protocol)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (fd < 0 && errno != EPROTONOSUPPORT && errno != ENOPROTOOPT && errno != EINVAL)
		fail_errno("make a socket");
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool mptcp_is_here(void)
{
	return has_protocol(IPPROTO_MPTCP);
}

bool sctp_is_here(void)
{
	return has_protocol(IPPROTO_SCTP);
}

/* A peer that answers in plain TCP is no test of this road. A kernel that can't tell is
 * believed. */
static void check_mptcp(int fd)
{
	socklen_t size = sizeof(int);
	int is_mptcp = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_IS_MPTCP, &is_mptcp, &size) == 0 && !is_mptcp)
		fail("the connection fell back to TCP");
}

struct moved mptcp_send(const struct arguments *arguments)
{
	int fd = stream_connect(arguments, IPPROTO_MPTCP);

	send_chunks(arguments, fd);
	check_mptcp(fd);
	return stream_sent(arguments, fd);
}

struct moved mptcp_receive(const struct arguments *arguments)
{
	return stream_receive(arguments, stream_accept(arguments, IPPROTO_MPTCP));
}

/* The halves the other way round: who connects is who reads, and the further paths, which the
 * kernel makes by itself, are the reader's. */
struct moved mptcp_download(const struct arguments *arguments)
{
	int fd = stream_connect(arguments, IPPROTO_MPTCP);
	struct moved moved = { .bytes = read_bytes(fd, arguments->bytes) };

	check_mptcp(fd);
	moved.bytes += read_bytes(fd, UINT64_MAX);
	close(fd);
	return moved;
}

struct moved mptcp_serve(const struct arguments *arguments)
{
	int fd = stream_accept(arguments, IPPROTO_MPTCP);

	send_chunks(arguments, fd);
	return stream_sent(arguments, fd);
}

/* SCTP knows no half-closed association, and who has ended is told nothing more: here it is the
 * receiver who ends, when it has what it expects. */
struct moved sctp_send(const struct arguments *arguments)
{
	int fd = stream_connect(arguments, IPPROTO_SCTP);

	send_chunks(arguments, fd);
	if (read_bytes(fd, UINT64_MAX) != 0)
		fail("the receiver said something");
	close(fd);
	return (struct moved){ .bytes = arguments->bytes };
}

struct moved sctp_receive(const struct arguments *arguments)
{
	int fd = stream_accept(arguments, IPPROTO_SCTP);
	struct moved moved = { .bytes = read_bytes(fd, arguments->bytes) };

	close(fd);
	return moved;
}
