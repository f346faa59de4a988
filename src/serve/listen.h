/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets: those that the service manager has made, or our own. */
#ifndef SERVE_LISTEN_H
#define SERVE_LISTEN_H

#include <stddef.h>

#include "command/serve.h"

#define LISTEN_MAX 16

struct listeners {
	int fds[LISTEN_MAX];
	size_t n;
	char path[108]; /* of our own unix socket, to be removed; "": none */
};

/* Opens all of them. Returns 0, or an error, logged. */
int listen_open(struct listeners *ret, const struct serve_settings *settings, const char *instance);

/* Those that were not handed on, and the socket's file. */
void listen_close(struct listeners *listeners);

#endif
