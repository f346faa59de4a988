// SPDX-License-Identifier: GPL-2.0-or-later
#include "export/transport.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "export/tls.h"
#include "util/cleanup.h"

#define NS_PER_S UINT64_C(1000000000)

/* Between two looks at what the peer's kernel has not taken. */
#define SETTLE_MIN_NS 50000
#define SETTLE_MAX_NS 32000000

/* At once, by one system call. */
#define DATAGRAMS_MAX 64

static const char *const kinds[] = { "unix", "udp", "tcp", "tls", "sctp" };

void transport_preset(struct transport *transport)
{
	transport->fd = -1;
	transport->timeout_s = 30;
	transport->rate = 3000;
}

static bool take_word(const char **at, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*at, word, n) != 0 || (*at)[n] != ':')
		return false;
	*at += n + 1;
	return true;
}

int transport_parse(struct transport *transport, struct export_output *output, const char *target,
		    const char *port)
{
	const char *at = target, *end;
	size_t i = 0;

	while (i < sizeof(kinds) / sizeof(kinds[0]) && !take_word(&at, kinds[i]))
		i++;
	transport->kind = (enum transport_kind)i;
	if (i == sizeof(kinds) / sizeof(kinds[0]))
		return export_refuse(output, -EINVAL, "'%s' is no peer; take %s", target,
				     "unix:PATH, udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT");
	if (transport->kind == TRANSPORT_UNIX) {
		transport->host = strdup(at);
		return strlen(at) - 1 < sizeof(((struct sockaddr_un *)0)->sun_path) - 1
			       ? 0
			       : export_refuse(output, -EINVAL, "'%s' is no path of a socket", at);
	}
	if (strncmp(at, "//", 2) == 0)
		at += 2;
	if (*at == '[' && (end = strchr(at, ']'))) {
		transport->host = strndup(at + 1, (size_t)(end - at - 1));
		at = end + 1;
	} else {
		end = strrchr(at, ':');
		transport->host = end ? strndup(at, (size_t)(end - at)) : strdup(at);
		at = end ? end : "";
	}
	if (*at == ':' && at[1])
		port = at + 1;
	transport->port = port ? strdup(port) : NULL;
	if (!transport->host || !*transport->host || !transport->port)
		return export_refuse(output, -EINVAL, "'%s' needs a host and a port: %s:HOST:PORT",
				     target, kinds[i]);
	return 0;
}

void transport_forget(struct transport *transport)
{
	free(transport->host);
	free(transport->port);
	transport->host = transport->port = NULL;
}

int transport_wait(const struct export_output *output, int fd, short events, int timeout_ms)
{
	struct pollfd fds[2] = { { .fd = output->stop_fd, .events = POLLIN },
				 { .fd = fd, .events = events } };
	int r;

	do
		r = poll(fds, 2, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (fds[0].revents)
		return -ECANCELED;
	return r == 0 ? -ETIMEDOUT : 0;
}

static int wait_peer(struct transport *transport, struct export_output *output, short events)
{
	return transport_wait(output, transport->fd, events, (int)transport->timeout_s * 1000);
}

/* Returns 0 with .fd connected, or a negative errno. */
static int connect_to(struct transport *transport, struct export_output *output, int type,
		      int protocol, const struct sockaddr *address, socklen_t length)
{
	_cleanup_close_ int fd =
		socket(address->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	int error = 0;
	socklen_t size = sizeof(error);
	int r;

	if (fd < 0)
		return -errno;
	if (connect(fd, address, length) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		r = transport_wait(output, fd, POLLOUT, (int)transport->timeout_s * 1000);
		if (r < 0)
			return r;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
			return error ? -error : -errno;
	}
	transport->fd = steal_fd(&fd);
	return 0;
}

static int open_unix(struct transport *transport, struct export_output *output)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int r;

	memcpy(address.sun_path, transport->host, strlen(transport->host));
	transport->is_stream = true;
	r = connect_to(transport, output, SOCK_STREAM, 0, (struct sockaddr *)&address,
		       sizeof(address));
	if (r == -EPROTOTYPE) {
		transport->is_stream = false;
		r = connect_to(transport, output, SOCK_DGRAM, 0, (struct sockaddr *)&address,
			       sizeof(address));
	}
	return r < 0 ? export_fail(output, r, "connect to %s", transport->host) : 0;
}

static int open_internet(struct transport *transport, struct export_output *output)
{
	bool is_udp = transport->kind == TRANSPORT_UDP;
	int protocol = transport->kind == TRANSPORT_SCTP ? IPPROTO_SCTP : 0;
	const struct addrinfo hints = { .ai_socktype = is_udp ? SOCK_DGRAM : SOCK_STREAM,
					.ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found;
	int r = getaddrinfo(transport->host, transport->port, &hints, &found);

	/* A machine without a network knows its loopback. */
	if (r == EAI_ADDRFAMILY || r == EAI_NONAME || r == EAI_NODATA)
		r = getaddrinfo(transport->host, transport->port,
				&(struct addrinfo){ .ai_socktype = hints.ai_socktype }, &found);
	if (r)
		return export_refuse(output, -EHOSTUNREACH, "look up %s: %s", transport->host,
				     r == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(r));
	transport->is_stream = !is_udp;
	r = -EHOSTUNREACH;
	for (const struct addrinfo *at = found; at && r < 0 && r != -ECANCELED; at = at->ai_next)
		r = connect_to(transport, output, at->ai_socktype, protocol, at->ai_addr,
			       at->ai_addrlen);
	freeaddrinfo(found);
	return r < 0 ? export_fail(output, r, "connect to %s port %s", transport->host,
				   transport->port)
		     : 0;
}

int transport_open(struct transport *transport, struct export_output *output)
{
	int r;

	if (output->dry_run) {
		transport->is_stream = transport->kind != TRANSPORT_UDP;
		return 0;
	}
	r = transport->kind == TRANSPORT_UNIX ? open_unix(transport, output)
					      : open_internet(transport, output);
	if (r == 0 && transport->kind == TRANSPORT_TLS)
		r = tls_open(transport, output);
	return r;
}

static int write_standard_output(struct export_output *output, const void *data, size_t n)
{
	return fwrite(data, 1, n, stdout) == n
		       ? 0
		       : export_fail(output, -EIO, "write to standard output");
}

int transport_write(struct transport *transport, struct export_output *output, const void *data,
		    size_t n)
{
	const char *at = data;

	if (output->dry_run)
		return write_standard_output(output, data, n);
	if (transport->tls)
		return tls_write(transport, output, data, n);
	while (n) {
		ssize_t written = send(transport->fd, at, n, MSG_NOSIGNAL);
		int r = 0;

		if (written > 0) {
			at += written;
			n -= (size_t)written;
			continue;
		}
		if (written < 0 && errno == EAGAIN)
			r = wait_peer(transport, output, POLLOUT);
		else if (written < 0 && errno != EINTR)
			r = -errno;
		if (r < 0)
			return export_fail(output, r, "write to %s", transport->host);
	}
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* So many datagrams are about to go: waits until the rate has room for them. */
static int pace(struct transport *transport, struct export_output *output, size_t n)
{
	uint64_t now;

	if (!transport->rate)
		return 0;
	now = now_ns();
	if (transport->paced_ns > now + NS_PER_S / 1000) {
		int ms = (int)((transport->paced_ns - now) / (NS_PER_S / 1000));
		int r = transport_wait(output, -1, 0, ms);

		if (r != -ETIMEDOUT)
			return r;
	}
	if (transport->paced_ns < now)
		transport->paced_ns = now;
	transport->paced_ns += n * NS_PER_S / transport->rate;
	return 0;
}

int transport_send(struct transport *transport, struct export_output *output,
		   struct iovec *datagrams, size_t n, size_t *done)
{
	struct mmsghdr messages[DATAGRAMS_MAX];

	*done = 0;
	while (*done < n) {
		size_t some = n - *done < DATAGRAMS_MAX ? n - *done : DATAGRAMS_MAX;
		/* At a rate not so many at once: a receiver's buffer may hold few. */
		if (transport->rate && some > 16)
			some = 16;
		int sent, r;

		if (output->dry_run) {
			r = write_standard_output(output, datagrams[*done].iov_base,
						  datagrams[*done].iov_len);
			if (r < 0)
				return r;
			++*done;
			continue;
		}
		r = pace(transport, output, some);
		if (r < 0)
			return export_fail(output, r, "send to %s", transport->host);
		memset(messages, 0, some * sizeof(*messages));
		for (size_t i = 0; i < some; i++) {
			messages[i].msg_hdr.msg_iov = &datagrams[*done + i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		sent = sendmmsg(transport->fd, messages, (unsigned int)some, MSG_NOSIGNAL);
		if (sent > 0) {
			*done += (size_t)sent;
			continue;
		}
		r = -errno;
		if (r == -EAGAIN || r == -ENOBUFS)
			r = wait_peer(transport, output, POLLOUT);
		if (r < 0 && r != -EINTR)
			return export_fail(output, r, "send to %s", transport->host);
	}
	return 0;
}

/* Has the peer closed? What it says is of no interest. */
static int read_all(struct transport *transport)
{
	char waste[1024];
	ssize_t n;

	if (transport->tls)
		return tls_read_all(transport);
	do
		n = recv(transport->fd, waste, sizeof(waste), MSG_DONTWAIT);
	while (n > 0);
	if (n == 0)
		return -EPIPE;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int transport_settle(struct transport *transport, struct export_output *output)
{
	uint64_t deadline = now_ns() + transport->timeout_s * NS_PER_S;
	struct pollfd stop = { .fd = output->stop_fd, .events = POLLIN };
	struct timespec wait = { 0 };
	int left = 0, before = 0, r;

	if (output->dry_run)
		return fflush(stdout) ? export_fail(output, -errno, "write to standard output") : 0;
	if (!transport->is_stream)
		return 0;
	for (;;) {
		r = read_all(transport);
		if (r < 0)
			return export_refuse(output, r, "%s has closed the connection: %s",
					     transport->host, strerrordesc_np(-r));
		if (ioctl(transport->fd, SIOCOUTQ, &left) < 0 || left == 0)
			return 0;
		if (left != before)
			deadline = now_ns() + transport->timeout_s * NS_PER_S;
		before = left;
		if (now_ns() > deadline)
			return export_fail(output, -ETIMEDOUT, "%s takes nothing", transport->host);
		if (ppoll(&stop, 1, &wait, NULL) > 0)
			return export_fail(output, -ECANCELED, "wait for %s", transport->host);
		/* 50 us at first: a peer nearby has it by then, and the next batch waits. */
		wait.tv_nsec = wait.tv_nsec ? wait.tv_nsec < SETTLE_MAX_NS ? 2 * wait.tv_nsec
									   : wait.tv_nsec
					    : SETTLE_MIN_NS;
	}
}

void transport_close(struct transport *transport)
{
	tls_close(transport);
	if (transport->fd >= 0)
		close(steal_fd(&transport->fd));
}
