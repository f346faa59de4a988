/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's side of the control protocol (docs/protocol.md): status, top and serve share it. A meter that
 * hangs, or sends what is no answer, is not waited for longer than the caller says.
 */
#ifndef LIVE_CLIENT_H
#define LIVE_CLIENT_H

#include <stddef.h>
#include <sys/un.h>

#include "util/json_tree.h"

/* Where the sockets of the instances are. */
#define CONTROL_DIRECTORY "/run/traffic-meter"

/* The longest answer that is taken. */
#define CLIENT_ANSWER_MAX (16u << 20)

struct client_connection {
	int fd; /* for poll(2); -1: not open */
	char *data;
	size_t size, allocated;
};

/* The socket of an instance. Returns 0 or -ENAMETOOLONG. */
int client_address(const char *instance, struct sockaddr_un *ret);

/* Connects to the meter of an instance. Returns 0, -ENOENT or -ECONNREFUSED when none runs, -EACCES, or
 * another negative errno. */
int client_open(struct client_connection *connection, const char *instance);
void client_close(struct client_connection *connection);

/* Sends a request, a line without its end. Returns 0 or a negative errno. */
int client_send(struct client_connection *connection, const char *request);

/* Reads an answer: for timeout_ms at most; 0 takes what is there. Returns 0, -ETIMEDOUT, -EAGAIN when
 * timeout_ms is 0 and the answer is not complete, -EBADMSG when it is no JSON or too long, -ECONNRESET when
 * the meter has closed the connection, or another negative errno. */
int client_read(struct client_connection *connection, int timeout_ms, struct json_tree *ret);

/* All of it for one answer. An answer that is an error of the meter's is -EPROTO, and logged. */
int client_ask(const char *instance, const char *request, int timeout_ms, struct json_tree *ret);

#endif
