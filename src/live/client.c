// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

/* A full backlog makes connect(2) wait. */
#define CONNECT_TIMEOUT_S 5

#define PIECE 65536

int client_address(const char *instance, struct sockaddr_un *ret)
{
	int n;

	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(ret->sun_path, sizeof(ret->sun_path), CONTROL_DIRECTORY "/%s.sock", instance);
	return n < 0 || n >= (int)sizeof(ret->sun_path) ? -ENAMETOOLONG : 0;
}

int client_open(struct client_connection *connection, const char *instance)
{
	struct timeval timeout = { .tv_sec = CONNECT_TIMEOUT_S };
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	int r = client_address(instance, &address);

	*connection = (struct client_connection){ .fd = -1 };
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	connection->fd = steal_fd(&fd);
	return 0;
}

void client_close(struct client_connection *connection)
{
	close_fd(&connection->fd);
	free(connection->data);
	*connection = (struct client_connection){ .fd = -1 };
}

int client_send(struct client_connection *connection, const char *request)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%s\n", request);

	if (n < 0 || n >= (int)sizeof(line))
		return -EMSGSIZE;
	if (send(connection->fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		return errno == EPIPE ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Take a line out of what was read. Returns 0, -EAGAIN: there is none, -EBADMSG, or -ENOMEM. */
static int take_line(struct client_connection *connection, struct json_tree *ret)
{
	char *end = connection->size ? memchr(connection->data, '\n', connection->size) : NULL;
	size_t size;
	int r;

	if (!end)
		return connection->size > CLIENT_ANSWER_MAX ? -EBADMSG : -EAGAIN;
	size = (size_t)(end - connection->data);
	r = json_parse(ret, connection->data, size);
	connection->size -= size + 1;
	memmove(connection->data, end + 1, connection->size);
	return r;
}

/* Returns 1, 0: there is nothing to read now, or a negative errno. */
static int read_more(struct client_connection *connection)
{
	ssize_t n;

	if (connection->allocated - connection->size < PIECE) {
		size_t allocated = connection->allocated * 2 + PIECE;
		char *data = realloc(connection->data, allocated);

		if (!data)
			return -ENOMEM;
		connection->data = data;
		connection->allocated = allocated;
	}
	n = recv(connection->fd, connection->data + connection->size,
		 connection->allocated - connection->size, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	connection->size += (size_t)n;
	return 1;
}

int client_read(struct client_connection *connection, int timeout_ms, struct json_tree *ret)
{
	int64_t until_ms = now_ms() + timeout_ms, left_ms;
	struct pollfd fd = { .fd = connection->fd, .events = POLLIN };
	int r;

	for (;;) {
		r = take_line(connection, ret);
		if (r != -EAGAIN)
			return r;
		r = read_more(connection);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		left_ms = until_ms - now_ms();
		if (left_ms <= 0)
			return timeout_ms ? -ETIMEDOUT : -EAGAIN;
		if (poll(&fd, 1, (int)left_ms) < 0 && errno != EINTR)
			return -errno;
	}
}

static void close_connection(struct client_connection *connection)
{
	client_close(connection);
}

int client_ask(const char *instance, const char *request, int timeout_ms, struct json_tree *ret)
{
	_cleanup_(close_connection) struct client_connection connection = { .fd = -1 };
	struct json_tree answer = { 0 };
	const char *error;
	int r;

	if ((r = client_open(&connection, instance)) < 0 ||
	    (r = client_send(&connection, request)) < 0 ||
	    (r = client_read(&connection, timeout_ms, &answer)) < 0)
		return r;
	error = json_string(json_get(&answer, json_root(&answer), "error"), NULL);
	if (error) {
		log_error("the meter of the instance '%s': %s", instance, error);
		json_tree_free(&answer);
		return -EPROTO;
	}
	*ret = answer;
	return 0;
}
