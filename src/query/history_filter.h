/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters of a question about a history, as the ids that pass. Texts are looked up once, before any
 * row is read.
 */
#ifndef QUERY_HISTORY_FILTER_H
#define QUERY_HISTORY_FILTER_H

#ifdef HAVE_SQLITE3

#include <sqlite3.h>

#include "query/query.h"

/* Sorted. */
struct id_set {
	int64_t *ids;
	size_t n;
	bool all; /* there is no filter */
};

struct history_filter {
	struct id_set sets[QUERY_DIRECTION]; /* one for each key before it */
	bool direction[2];
};

/* -ESRCH: no such user; -EINVAL: no such service or direction; both logged. Others are the database's,
 * not logged. */
int history_filter_read(struct history_filter *filter, sqlite3 *database,
			const struct question *question);
void history_filter_free(struct history_filter *filter);

bool id_set_has(const struct id_set *set, int64_t id);

#endif
#endif
