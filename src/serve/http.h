/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP side: requests are judged before anything is asked, and each reply has the same headers. */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "serve/serve.h"

struct http;

/* Serves each of the listening sockets, which become its own, with threads of its own. Returns 0 or an error,
 * logged. */
int http_start(struct http **ret, struct server *server, const int *fds, size_t n);

/* Cuts connections whose request has not come in time; to be called once a second. */
void http_tick(struct http *http);

void http_stop(struct http *http);

#endif
