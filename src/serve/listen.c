// SPDX-License-Identifier: GPL-2.0-or-later
#include "serve/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "live/client.h"
#include "util/cleanup.h"
#include "util/log.h"

#define BACKLOG	    128
#define FIRST_GIVEN 3 /* sd_listen_fds(3) */

static int add(struct listeners *listeners, int fd)
{
	if (listeners->n == LISTEN_MAX) {
		log_error("at most %d sockets can be listened on", LISTEN_MAX);
		return -E2BIG;
	}
	listeners->fds[listeners->n++] = fd;
	return 0;
}

/* Returns how many sockets the service manager has handed over, or an error, logged. */
static int take_given(struct listeners *listeners)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int n = pid && count && strtol(pid, NULL, 10) == (long)getpid()
			? (int)strtol(count, NULL, 10)
			: 0;

	for (int fd = FIRST_GIVEN; fd < FIRST_GIVEN + n; fd++) {
		int r, type = 0;
		socklen_t size = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM) {
			log_error("the service manager's descriptor %d is no stream socket", fd);
			return -EINVAL;
		}
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) || fcntl(fd, F_SETFL, O_NONBLOCK))
			return log_error_errno(errno, "take the service manager's sockets");
		r = add(listeners, fd);
		if (r < 0)
			return r;
	}
	return n;
}

/* A socket that a server was killed beside is removed; one that answers, and what is no socket, is not. */
static int make_way(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = -1;
	struct stat status;

	if (lstat(address->sun_path, &status))
		return errno == ENOENT ? 0
				       : log_error_errno(errno, "look at %s", address->sun_path);
	if (!S_ISSOCK(status.st_mode)) {
		log_error(
			"%s is no socket, so it is not replaced; remove it, or choose another with "
			"--socket",
			address->sun_path);
		return -EEXIST;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0) {
		log_error("another server answers at %s", address->sun_path);
		return -EADDRINUSE;
	}
	return unlink(address->sun_path) ? log_error_errno(errno, "remove %s", address->sun_path)
					 : 0;
}

static int open_unix(struct listeners *listeners, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	mode_t before;
	int r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		log_error("--socket '%s': the path of a socket has at most %zu characters", path,
			  sizeof(address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	mkdir(CONTROL_DIRECTORY, 0755);
	r = make_way(&address);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	before = umask(0111); /* everybody may connect */
	r = fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(before);
	if (r < 0 || listen(fd, BACKLOG))
		return log_error_errno(r < 0 ? -r : errno, "listen on %s", path);
	snprintf(listeners->path, sizeof(listeners->path), "%s", path);
	return add(listeners, steal_fd(&fd));
}

/* "127.0.0.1:9099", "[::1]:9099"; no names, as these may change. */
static int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_size)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	char host[64], *end;
	const char *colon = strrchr(text, ':');
	unsigned long port;
	size_t length;

	*ret = (struct sockaddr_storage){ 0 };
	if (!colon || (length = (size_t)(colon - text)) >= sizeof(host))
		return -EINVAL;
	port = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || !port || port > 65535)
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		*ret_size = sizeof(*six);
		return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)port);
	*ret_size = sizeof(*four);
	return inet_pton(AF_INET, host, &four->sin_addr) == 1 ? 0 : -EINVAL;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;

	return address->ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)
					      : ntohl(four->sin_addr.s_addr) >> 24 == 127;
}

static int open_tcp(struct listeners *listeners, const char *text)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_storage address;
	socklen_t size;
	int one = 1;

	if (parse_address(text, &address, &size) < 0) {
		log_error("--listen '%s' is no address and port, as 127.0.0.1:9099 or [::1]:9099",
			  text);
		return -EINVAL;
	}
	if (!is_loopback(&address))
		log_warning(
			"--listen %s: the token and all numbers cross the network as plain text; "
			"put a web server with TLS in front (docs/serve.md)",
			text);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return log_error_errno(errno, "listen on %s", text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, BACKLOG))
		return log_error_errno(errno, "listen on %s", text);
	return add(listeners, steal_fd(&fd));
}

int listen_open(struct listeners *ret, const struct serve_settings *settings, const char *instance)
{
	char path[160];
	int r;

	*ret = (struct listeners){ 0 };
	r = take_given(ret);
	if (strcmp(instance, "default") == 0)
		snprintf(path, sizeof(path), CONTROL_DIRECTORY "/serve.sock");
	else
		snprintf(path, sizeof(path), CONTROL_DIRECTORY "/serve-%s.sock", instance);
	if (r == 0)
		r = open_unix(ret, settings->socket ?: path);
	for (size_t i = 0; r >= 0 && i < settings->listen.n; i++)
		r = open_tcp(ret, settings->listen.values[i]);
	return r < 0 ? r : 0;
}

void listen_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->n; i++)
		close_fd(&listeners->fds[i]);
	if (listeners->path[0])
		unlink(listeners->path);
	listeners->n = 0;
}
