/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the ids in a history stand for: origins of detail rows, and texts. */
#ifndef QUERY_HISTORY_TEXTS_H
#define QUERY_HISTORY_TEXTS_H

#ifdef HAVE_SQLITE3

#include <sqlite3.h>

#include "query/query.h"

/* A row of `origin`. */
struct history_origin {
	int64_t login, network, interface, program, workload;
	bool known, passes; /* passes: for the caller, to remember its filters' verdict */
};

struct history_texts {
	sqlite3 *database;
	sqlite3_stmt *origin, *text, *user, *protocol;
	struct history_origin *origins; /* by id, read when first asked for */
	size_t n_origins;
};

/* Errors are the database's, as negative errno values. The database stays the caller's. */
int history_texts_open(struct history_texts *texts, sqlite3 *database);
void history_texts_close(struct history_texts *texts);

/* *ret is valid until the next call. A row that is missing has all ids unknown. *ret_new: the row was
 * read now. */
int history_texts_origin(struct history_texts *texts, int64_t id, struct history_origin **ret,
			 bool *ret_new);

/* The text of a key's id, allocated; *ret is NULL for a user without a name and for times. */
int history_texts_name(struct history_texts *texts, enum query_key key, int64_t id, char **ret);

#endif
#endif
