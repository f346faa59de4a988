// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets that change hands: root makes them, and processes of so many users, who have all of them,
 * send on one after another, chosen at random with a fixed seed. The even users inherit them, the
 * odd ones get them by SCM_RIGHTS.
 *
 * The sockets are pairs connected to each other, so that what one takes in belongs to whoever sent
 * on it last. UDP is what is counted: a datagram that the kernel has taken has passed the egress
 * hook once. TCP comes on top, and how many packets that is only the interface can tell; its pairs
 * end with a reset, so that every packet is an open socket's.
 */
#include "traffic.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_PER_S       UINT64_C(1000000000)
#define PASSED_AT_ONCE 250 /* SCM_MAX_FD is 253 */

struct sockets {
	int *fds;
	uint64_t n, n_udp; /* the UDP ones come first */
};

/* What a user's process says of itself when it is done. */
struct sent {
	uint32_t uid;
	uint64_t packets, ip_bytes, tcp_bytes;
};

static uint8_t payload[LARGEST_PACKET];

static int open_at(const struct arguments *arguments, int type)
{
	struct arguments one = *arguments;

	one.bind = arguments->to;
	return open_bound(&one, type);
}

static void connect_to(int fd, int peer)
{
	union address address;
	socklen_t size = sizeof(address);

	if (getsockname(peer, &address.any, &size) < 0 || connect(fd, &address.any, size) < 0)
		fail_errno("connect two sockets of ours");
}

/* Nobody reads: what has passed the ingress hook may be dropped for want of room. */
static void open_udp_pair(const struct arguments *arguments, int *pair)
{
	int smallest = 1;

	for (int i = 0; i < 2; i++) {
		pair[i] = open_at(arguments, SOCK_DGRAM);
		if (setsockopt(pair[i], SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)) < 0)
			fail_errno("bound what is received");
	}
	connect_to(pair[0], pair[1]);
	connect_to(pair[1], pair[0]);
}

static void open_tcp_pair(const struct arguments *arguments, int *pair)
{
	int listener = open_at(arguments, SOCK_STREAM), on = 1;
	struct linger reset = { .l_onoff = 1 };

	if (listen(listener, 1) < 0)
		fail_errno("listen");
	pair[0] = socket(arguments->to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (pair[0] < 0)
		fail_errno("make a socket");
	connect_to(pair[0], listener);
	pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (pair[1] < 0)
		fail_errno("accept");
	close(listener);
	for (int i = 0; i < 2; i++)
		if (setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
		    setsockopt(pair[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
			fail_errno("set up a TCP socket");
}

static void open_sockets(const struct arguments *arguments, struct sockets *sockets)
{
	sockets->n_udp = arguments->sockets;
	sockets->n = arguments->sockets + arguments->tcp_sockets;
	if (!sockets->n_udp || sockets->n_udp % 2 || arguments->tcp_sockets % 2)
		fail("sockets come in pairs, and there has to be one of UDP");
	sockets->fds = calloc(sockets->n, sizeof(*sockets->fds));
	if (!sockets->fds)
		fail("no memory for %" PRIu64 " sockets", sockets->n);
	allow_files(sockets->n + PASSED_AT_ONCE);
	for (uint64_t i = 0; i < sockets->n; i += 2) {
		if (i < sockets->n_udp)
			open_udp_pair(arguments, sockets->fds + i);
		else
			open_tcp_pair(arguments, sockets->fds + i);
	}
}

static void close_sockets(const struct sockets *sockets)
{
	for (uint64_t i = 0; i < sockets->n; i++)
		close(sockets->fds[i]);
}

union descriptors {
	struct cmsghdr head;
	char space[CMSG_SPACE(sizeof(int) * PASSED_AT_ONCE)];
};

/* Give the sockets away (pass is sendmsg) or take them in the place of those there were (recvmsg). */
static void pass_sockets(const struct sockets *sockets, int channel, bool give)
{
	for (uint64_t i = 0; i < sockets->n; i += PASSED_AT_ONCE) {
		uint64_t n = sockets->n - i < PASSED_AT_ONCE ? sockets->n - i : PASSED_AT_ONCE;
		size_t size = sizeof(int) * n;
		union descriptors descriptors = { 0 };
		char byte = 0;
		struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
		struct msghdr message = { .msg_iov = &vector,
					  .msg_iovlen = 1,
					  .msg_control = &descriptors,
					  .msg_controllen = CMSG_SPACE(size) };

		descriptors.head.cmsg_level = SOL_SOCKET;
		descriptors.head.cmsg_type = SCM_RIGHTS;
		descriptors.head.cmsg_len = CMSG_LEN(size);
		if (give) {
			memcpy(CMSG_DATA(&descriptors.head), sockets->fds + i, size);
			if (sendmsg(channel, &message, 0) != 1)
				fail_errno("pass sockets");
			continue;
		}
		if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1 ||
		    descriptors.head.cmsg_len != CMSG_LEN(size))
			fail_errno("take sockets");
		memcpy(sockets->fds + i, CMSG_DATA(&descriptors.head), size);
	}
}

/* xorshift64*, seeded by the user's number: the same in each run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(0x2545f4914f6cdd1d)) >> 32;
}

static void read_away(int fd)
{
	static uint8_t bytes[1 << 16];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* Until all that was sent by TCP was read and acknowledged: what comes for a socket that is closed
 * belongs to nobody. */
static bool settle_tcp(const struct sockets *sockets, uint64_t deadline)
{
	int unread, unacknowledged;

	for (uint64_t i = sockets->n_udp; i < sockets->n;) {
		read_away(sockets->fds[i]);
		read_away(sockets->fds[i ^ 1]);
		if (ioctl(sockets->fds[i], SIOCOUTQ, &unacknowledged) < 0 ||
		    ioctl(sockets->fds[i ^ 1], SIOCINQ, &unread) < 0)
			fail_errno("ask for what is under way");
		if (!unacknowledged && !unread)
			i++;
		else if (now_ns() > deadline)
			return false;
		else
			sleep_until(now_ns() + 1000000);
	}
	return true;
}

/* Make room for the other end, then send what there is room for at this one. */
static uint64_t use_tcp(int fd, uint64_t size)
{
	ssize_t length;

	read_away(fd);
	length = send(fd, payload, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (length < 0 && errno != EAGAIN)
		fail_errno("send by TCP");
	return length < 0 ? 0 : (uint64_t)length;
}

static void use_sockets(const struct arguments *arguments, const struct sockets *sockets,
			uint64_t number, struct sent *ret)
{
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S;
	uint64_t state = UINT64_C(0x9e3779b97f4a7c15) * (number + 1);
	uint64_t header = ip_header(&arguments->to) + UDP_HEADER;

	fill_payload(payload, sizeof(payload));
	while (ret->packets < arguments->count) {
		uint64_t i = next_random(&state) % sockets->n;
		uint64_t size = 1 + next_random(&state) % arguments->size;

		if (i >= sockets->n_udp) {
			ret->tcp_bytes += use_tcp(sockets->fds[i], size);
			continue;
		}
		if (send(sockets->fds[i], payload, size, 0) != (ssize_t)size)
			fail_errno("send, after %" PRIu64 " packets", ret->packets);
		ret->packets++;
		ret->ip_bytes += header + size;
		if (ret->packets % 4096 == 0 && now_ns() > deadline)
			break;
	}
}

/* Where the parent and the users' processes talk: the signal to begin, which is the end of the pipe,
 * and what was sent. */
struct channels {
	int begin[2], sent[2];
};

static void run_user(const struct arguments *arguments, const struct sockets *sockets,
		     const struct channels *channels, int given, uint64_t number)
{
	struct sent sent = { .uid = (uint32_t)(arguments->first_uid + number) };
	struct arguments user = { .has_uid = true, .uid = sent.uid };
	char byte;

	alarm((unsigned int)arguments->timeout_s + 5); /* which a child doesn't inherit */
	close(channels->begin[1]);
	become(&user, false);
	if (given >= 0) {
		close_sockets(sockets);
		pass_sockets(sockets, given, false);
	}
	if (read(channels->begin[0], &byte, 1) != 0)
		fail("the others never began");
	use_sockets(arguments, sockets, number, &sent);
	if (write(channels->sent[1], &sent, sizeof(sent)) != sizeof(sent))
		fail_errno("say what was sent");
	_exit(0);
}

static void start_user(const struct arguments *arguments, const struct sockets *sockets,
		       const struct channels *channels, uint64_t number)
{
	bool inherits = number % 2 == 0;
	int given[2] = { -1, -1 };
	pid_t pid;

	if (!inherits && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, given) < 0)
		fail_errno("make a channel");
	pid = fork();
	if (pid < 0)
		fail_errno("fork");
	if (pid == 0)
		run_user(arguments, sockets, channels, given[1], number);
	if (inherits)
		return;
	close(given[1]);
	pass_sockets(sockets, given[0], true);
	close(given[0]);
}

/* All begin at once; the sockets stay open here until the last is done. */
int send_by_many_hands(const struct arguments *arguments)
{
	uint64_t deadline = now_ns() + arguments->timeout_s * NS_PER_S, done = 0, packets = 0;
	bool settled;
	struct channels channels;
	struct sockets sockets;
	struct sent sent;

	if (!arguments->first_uid || !arguments->size)
		fail("hands needs --first-uid, and a --size");
	open_sockets(arguments, &sockets);
	if (pipe(channels.begin) < 0 || pipe(channels.sent) < 0)
		fail_errno("make channels");
	for (uint64_t number = 0; number < arguments->users; number++)
		start_user(arguments, &sockets, &channels, number);
	close(channels.begin[1]);
	close(channels.sent[1]);
	for (; read(channels.sent[0], &sent, sizeof(sent)) == sizeof(sent); done++) {
		printf("uid=%" PRIu32 " packets=%" PRIu64 " ip_bytes=%" PRIu64 " tcp_bytes=%" PRIu64
		       "\n",
		       sent.uid, sent.packets, sent.ip_bytes, sent.tcp_bytes);
		packets += sent.packets;
	}
	while (wait(NULL) > 0)
		;
	settled = settle_tcp(&sockets, deadline);
	close_sockets(&sockets);
	free(sockets.fds);
	if (done != arguments->users)
		fail("%" PRIu64 " of %" PRIu64 " came to the end", done, arguments->users);
	return settled && packets == arguments->count * arguments->users ? 0 : TIMED_OUT;
}
