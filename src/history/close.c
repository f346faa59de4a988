// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buckets that are over: folded, and added up to the next coarser level, a user in each step, so that a
 * step is short however many users there are. Where a step ends is in the table `level`, in the step's
 * own transaction. And rows that have expired: removed a user and bucket in each step.
 */
#ifdef HAVE_SQLITE3

#include <stdlib.h>

#include "history/store_inside.h"
#include "util/cleanup.h"

/* Records of a bucket may come so much later than its end. */
#define LATE_S 60

/* Of a month, on a day that is longer. */
#define BUCKETS_MAX 400

#define NOBODY (HISTORY_NO_USER - 1)

/* The finer buckets that one is made of. */
struct parts {
	int64_t times[BUCKETS_MAX];
	size_t n;
};

static void free_details(struct details *details)
{
	free(details->rows);
}

static int write_level(struct store *store, enum history_level level,
		       const struct history_level_state *state)
{
	int r = statements_run_other(
		&store->statements, WRITE_LEVEL,
		(int64_t[]){ state->closed_until, state->expired_until, state->closed_user, level },
		4);

	/* If the transaction fails, the levels are read again. */
	if (r == SQLITE_OK)
		store->levels[level] = *state;
	return r;
}

static int next_time(struct store *store, enum history_level level, int64_t from, int64_t *ret,
		     int *ret_none)
{
	sqlite3_stmt *statement;
	int r = statements_level(&store->statements, level, NEXT_TIME, &from, 1, &statement);

	return r == SQLITE_OK ? statements_read(statement, ret, ret_none) : r;
}

static int find_parts(struct store *store, enum history_level level, int64_t from, int64_t to,
		      struct parts *ret)
{
	int r, none;

	ret->n = 0;
	while (ret->n < BUCKETS_MAX) {
		r = next_time(store, level, from, &ret->times[ret->n], &none);
		if (r != SQLITE_OK)
			return r;
		if (none || ret->times[ret->n] >= to)
			break;
		from = ret->times[ret->n++] + 1;
	}
	return SQLITE_OK;
}

/* The first user behind `user` in any of the parts. */
static int next_user(struct store *store, enum history_level level, const struct parts *parts,
		     int64_t user, int64_t *ret, bool *ret_none)
{
	*ret_none = true;
	for (size_t i = 0; i < parts->n; i++) {
		sqlite3_stmt *statement;
		int64_t found = 0;
		int none, r = statements_level(&store->statements, level, NEXT_USER,
					       (int64_t[]){ parts->times[i], user }, 2, &statement);

		if (r == SQLITE_OK)
			r = statements_read(statement, &found, &none);
		if (r != SQLITE_OK)
			return r;
		if (none || (!*ret_none && found >= *ret))
			continue;
		*ret = found;
		*ret_none = false;
	}
	return SQLITE_OK;
}

static int add_up_user(struct store *store, enum history_level level, const struct parts *parts,
		       int64_t time, int64_t user)
{
	int64_t values[10] = { time, user };
	sqlite3_stmt *statement;
	int r = SQLITE_OK;

	for (size_t i = 0; i < parts->n && r == SQLITE_OK; i++) {
		r = statements_level(&store->statements, level - 1, READ_USER,
				     (int64_t[]){ parts->times[i], user }, 2, &statement);
		if (r != SQLITE_OK)
			break;
		r = sqlite3_step(statement);
		for (int column = 0; r == SQLITE_ROW && column < 8; column++)
			values[2 + column] += sqlite3_column_int64(statement, column);
		sqlite3_reset(statement);
		r = r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
	}
	return r == SQLITE_OK
		       ? statements_run_level(&store->statements, level, ADD_USER, values, 10)
		       : r;
}

/* The bucket at `time` for one user, from the parts; for the 5 minutes, which have none, from itself. */
static int close_user(struct store *store, enum history_level level, const struct parts *parts,
		      int64_t time, int64_t user)
{
	_cleanup_(free_details) struct details details = { 0 };
	enum history_level from = level == HISTORY_5MIN ? level : level - 1;
	size_t keep = (size_t)store->settings.rows[level];
	int r = SQLITE_OK;

	for (size_t i = 0; i < parts->n && r == SQLITE_OK; i++)
		r = history_store_read_details(store, from, parts->times[i], user, &details);
	if (r != SQLITE_OK || (level == HISTORY_5MIN && details.n <= keep))
		return r;
	r = history_store_fold(store, &details, keep);
	if (r == SQLITE_OK && level != HISTORY_5MIN)
		r = add_up_user(store, level, parts, time, user);
	return r == SQLITE_OK ? history_store_replace_details(store, level, time, user, &details)
			      : r;
}

/* Nothing is left to close before `until`. */
static int close_empty(struct store *store, enum history_level level, int64_t until)
{
	struct history_level_state state = store->levels[level];

	if (until <= state.closed_until)
		return SQLITE_OK;
	state.closed_until = until;
	return write_level(store, level, &state);
}

/* One user of the level's next bucket, if that is over. */
static int close_step(struct store *store, enum history_level level, int64_t over, bool *ret_more)
{
	struct history_level_state state = store->levels[level];
	enum history_level from = level == HISTORY_5MIN ? level : level - 1;
	int64_t first, start, end, user = 0;
	struct parts parts;
	bool none_left;
	int r, none;

	*ret_more = false;
	r = next_time(store, from, state.closed_until, &first, &none);
	if (r != SQLITE_OK)
		return r;
	if (none || first >= over)
		return close_empty(store, level, history_bucket_start(level, over));
	start = history_bucket_start(level, first);
	end = history_bucket_end(level, start);
	/* Where the time zone has changed, a bucket begins in another one that is closed. */
	if (start < state.closed_until)
		start = state.closed_until;
	if (end > over)
		return close_empty(store, level, start);
	*ret_more = true;
	if (start > state.closed_until)
		state.closed_until = start;
	if ((r = find_parts(store, from, start, end, &parts)) != SQLITE_OK ||
	    (r = next_user(store, from, &parts, state.closed_user, &user, &none_left)) != SQLITE_OK)
		return r;
	if (none_left) {
		state.closed_until = end;
		state.closed_user = NOBODY;
	} else {
		r = close_user(store, level, &parts, start, user);
		state.closed_user = user;
	}
	return r == SQLITE_OK ? write_level(store, level, &state) : r;
}

int history_store_close_step(struct store *store, int64_t now_s, bool *ret_more)
{
	int64_t over = history_bucket_start(HISTORY_5MIN, now_s - LATE_S);
	int r = SQLITE_OK;

	*ret_more = false;
	for (int level = HISTORY_5MIN; level < HISTORY_LEVELS && r == SQLITE_OK && !*ret_more;
	     level++) {
		r = close_step(store, (enum history_level)level, over, ret_more);
		over = store->levels[level].closed_until;
	}
	return r;
}

static int expire_step(struct store *store, enum history_level level, int64_t now_s, bool *ret_more)
{
	struct history_level_state state = store->levels[level];
	int64_t cutoff = now_s - store->settings.keep_s[level], time, user, end;
	bool none_left;
	int r, none;

	if (!store->settings.keep_s[level])
		return SQLITE_OK;
	/* Whole buckets of the next level, and only what that has. */
	if (level < HISTORY_MONTH) {
		if (cutoff > store->levels[level + 1].closed_until)
			cutoff = store->levels[level + 1].closed_until;
		cutoff = history_bucket_start(level + 1, cutoff);
	}
	r = next_time(store, level, INT64_MIN, &time, &none);
	if (r != SQLITE_OK || none || time >= cutoff)
		return r;
	*ret_more = true;
	r = next_user(store, level, &(struct parts){ { time }, 1 }, NOBODY, &user, &none_left);
	if (r != SQLITE_OK || none_left)
		return r;
	if ((r = statements_run_level(&store->statements, level, REMOVE_DETAIL,
				      (int64_t[]){ time, user }, 2)) != SQLITE_OK ||
	    (r = statements_run_level(&store->statements, level, REMOVE_USER,
				      (int64_t[]){ time, user }, 2)) != SQLITE_OK)
		return r;
	end = history_bucket_end(level, history_bucket_start(level, time));
	if (end <= state.expired_until)
		return SQLITE_OK;
	state.expired_until = end;
	return write_level(store, level, &state);
}

int history_store_expire_step(struct store *store, int64_t now_s, bool *ret_more)
{
	int r = SQLITE_OK;

	*ret_more = false;
	for (int level = HISTORY_5MIN; level < HISTORY_LEVELS && r == SQLITE_OK && !*ret_more;
	     level++)
		r = expire_step(store, (enum history_level)level, now_s, ret_more);
	return r;
}

#endif
