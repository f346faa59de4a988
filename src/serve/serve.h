/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `traffic-meter serve`: what its files share. main.c starts and ends it, http.c takes requests and sends
 * replies, access.c says who may see what, and each answer has a file of its own.
 *
 * Nothing is written anywhere. What a request needs is read for it, from the history and from the meter's
 * control socket; either may be missing, which the answers say.
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command/serve.h"
#include "serve/access.h"
#include "serve/target.h"
#include "util/json_text.h"

struct peers;

/* The text of /metrics as it was made last, and of which state of the history. */
struct metrics_cache {
	pthread_mutex_t lock;
	int64_t stamp[6];
	char *text;
};

struct server {
	const struct serve_settings *settings;
	const char *instance;
	char *history;
	char name[256]; /* of this machine */
	struct access_rules access;
	struct metrics_cache metrics;
};

struct ask {
	struct target target;
	struct asker asker;
	const char *accept; /* the header; "" */
};

struct reply {
	unsigned int status; /* 0: 200 */
	const char *type;
	char nonce[33]; /* of script and style of a page; "": there are none */
	struct json_text body;
};

/* What the server answers. `everything`: only for who may see everything. All answer functions return 0, or a
 * negative errno that becomes a reply of its own. */
struct route {
	const char *path;
	const char *help;
	bool everything;
	int (*answer)(struct server *server, const struct ask *ask, struct reply *reply);
};

extern const struct route serve_routes[]; /* ends with a NULL path */

int metrics_answer(struct server *server, const struct ask *ask, struct reply *reply);
int usage_answer(struct server *server, const struct ask *ask, struct reply *reply);
int live_answer(struct server *server, const struct ask *ask, struct reply *reply);
int status_answer(struct server *server, const struct ask *ask, struct reply *reply);
int page_answer(struct server *server, const struct ask *ask, struct reply *reply);

/* Makes the reply an error: one line. Returns 0. */
int reply_error(struct reply *reply, unsigned int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Is the value of `user=` the asker, by uid or by name? */
bool ask_is_own(const struct asker *asker, const char *user);

#endif
