/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a store, shared by history_store.c (transactions), write.c (rows), close.c (buckets). */
#ifndef HISTORY_STORE_INSIDE_H
#define HISTORY_STORE_INSIDE_H

#include "history/history.h"
#include "history/statements.h"
#include "history/store.h"
#include "history/texts.h"

/* How many detail rows of a user the running 5 minutes may have got since they were folded last. */
struct crowd {
	int64_t time;
	uint32_t user;
	uint32_t rows;
	int64_t named_day; /* when the user's name was written */
};

struct store {
	struct store_settings settings;
	sqlite3 *database; /* NULL: not open */
	struct statements statements;
	int lock_fd;
	bool unchecked; /* the last writer did not end well */
	struct history_level_state levels[HISTORY_LEVELS];
	uint64_t batch, records;
	int64_t started_s; /* when the store was made */
	int64_t coverage_id, coverage_end;
	int64_t synced_ns; /* when a commit was last waited for, by CLOCK_MONOTONIC */

	struct texts texts;
	struct pending pending;
	struct crowd *crowds; /* a table by user, of a power of two */
	size_t n_crowds, n_crowd_slots;

	int64_t seen_s, seen_ns; /* wall and monotonic clock, when buckets were last looked at */
	int64_t no_expiry_until_ns;
};

/* A detail row by ids of the database. */
struct detail {
	int64_t remote, service, origin;
	int64_t in, out, in_more, out_more;
};

struct details {
	struct detail *rows;
	size_t n, allocated;
};

/* All return SQLITE_OK or SQLite's code. Within a transaction. */
int history_store_write_rows(struct store *store, int64_t now_s);

/* Is the level closed for the time and user, so that rows have to be added to it, too? */
bool history_store_is_closed(const struct store *store, enum history_level level, int64_t time,
			     int64_t user);

/* Append the rows of a bucket and user. */
int history_store_read_details(struct store *store, enum history_level level, int64_t time,
			       int64_t user, struct details *to);

/* Add up rows of the same key, and fold until about `keep` rows are left. */
int history_store_fold(struct store *store, struct details *details, size_t keep);

/* Write folded rows in the place of those that the level has. */
int history_store_replace_details(struct store *store, enum history_level level, int64_t time,
				  int64_t user, const struct details *details);

/* The id of an origin by ids of texts, made if there is none. */
int history_store_find_origin(struct store *store, const int64_t origin[5], int64_t *ret);

/* One step of the maintenance; *ret_more: there may be another. */
int history_store_close_step(struct store *store, int64_t now_s, bool *ret_more);
int history_store_expire_step(struct store *store, int64_t now_s, bool *ret_more);

#endif
