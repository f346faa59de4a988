/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writer's statements, prepared when first used. */
#ifndef HISTORY_STATEMENTS_H
#define HISTORY_STATEMENTS_H

#include <stdint.h>

#include <sqlite3.h>

#include "history/levels.h"
#include "history/pending.h"

/* Of a level. */
enum level_statement {
	ADD_USER,
	ADD_DETAIL,
	READ_USER,     /* time, user: the amounts */
	READ_DETAIL,   /* time, user: the rows */
	REMOVE_USER,   /* time, user */
	REMOVE_DETAIL, /* time, user */
	NEXT_TIME,     /* the first time from ... on; NULL: none */
	NEXT_USER,     /* of the time, the first user behind ...; NULL: none */
	LEVEL_STATEMENTS,
};

enum other_statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	FIND_TEXT,
	ADD_TEXT,
	FIND_ORIGIN,
	ADD_ORIGIN,
	READ_ORIGIN,
	ADD_NAME,
	WRITE_PROGRESS,
	READ_PROGRESS,
	ADD_COVERAGE,
	WRITE_COVERAGE,
	LAST_COVERAGE,
	WRITE_LEVEL,  /* id: closed_until, expired_until, closed_user */
	WRITE_LIMITS, /* id: keep_s, rows */
	OTHER_STATEMENTS,
};

struct statements {
	sqlite3 *database;
	sqlite3_stmt *of_level[HISTORY_LEVELS][LEVEL_STATEMENTS];
	sqlite3_stmt *others[OTHER_STATEMENTS];
};

/* The statement with its first integers bound (-1 of a uid is bound as it is), reset and ready to be
 * stepped. *ret is the table's. Returns SQLITE_OK or SQLite's code. */
int statements_level(struct statements *statements, enum history_level level,
		     enum level_statement which, const int64_t *values, int n, sqlite3_stmt **ret);
int statements_other(struct statements *statements, enum other_statement which,
		     const int64_t *values, int n, sqlite3_stmt **ret);

/* Step a statement that returns no rows, and reset it. Returns SQLITE_OK or SQLite's code. */
int statements_run(sqlite3_stmt *statement);

/* Both at once. */
int statements_run_level(struct statements *statements, enum history_level level,
			 enum level_statement which, const int64_t *values, int n);
int statements_run_other(struct statements *statements, enum other_statement which,
			 const int64_t *values, int n);

/* Step a statement for one integer, and reset it. SQLITE_OK, *ret and *ret_null set (no row counts as
 * NULL); or SQLite's code. */
int statements_read(sqlite3_stmt *statement, int64_t *ret, int *ret_null);

/* Ends all of them; the database is the caller's still. */
void statements_finish(struct statements *statements);

#endif
