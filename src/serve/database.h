/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The history, opened for one answer: nothing of it is kept, so a history that is replaced is seen at once. */
#ifndef SERVE_DATABASE_H
#define SERVE_DATABASE_H

#include <sqlite3.h>

#include "serve/serve.h"

/* Opens the history. A query that takes longer than a few seconds fails with SQLITE_INTERRUPT. Returns 0, or a
 * negative errno and one line for the client. */
int database_open(const struct server *server, sqlite3 **ret, char why[512]);
void database_close(sqlite3 **database);

/* The reply that a failed query is. Returns 0. */
int database_fail(sqlite3 *database, int code, struct reply *reply);

/* What changes when the history does: inodes, sizes and times of its files. Returns 0 or a negative errno. */
int database_stamp(const struct server *server, int64_t ret[6]);

#endif
