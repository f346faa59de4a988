/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Usage of a period, as the API and the page ask it. */
#ifndef SERVE_USAGE_H
#define SERVE_USAGE_H

#include "serve/serve.h"

#define USAGE_KEYS_MAX 4
#define USAGE_TOP_MAX  10000

struct usage {
	const char *by[USAGE_KEYS_MAX]; /* names of keys */
	size_t n_by;
	int64_t since_s, until_s;
	uint64_t top;
	struct usage_row {
		char *keys[USAGE_KEYS_MAX]; /* NULL: not known; of a row `other` all are */
		uint64_t in, out;
		bool other;
	} * rows; /* by time where the first key is one, else the largest first; `other` last */
	size_t n;
	uint64_t in, out; /* sum of the rows */
};

/* Puts the question that the target's parameters are. Returns 0 with `ret` to be freed; -EACCES; or another
 * negative errno, with the reply an error already. */
int usage_ask(const struct server *server, const struct ask *ask, struct usage *ret,
	      struct reply *reply);
void usage_free(struct usage *usage);

#endif
