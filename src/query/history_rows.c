// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows are read as they lie, in the order of their key, and added up here: GROUP BY would sort them
 * first.
 */
#ifdef HAVE_SQLITE3

#include "query/history_asking.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/cleanup.h"

#define ROWS_PER_PROGRESS 16384

int history_prepare(sqlite3 *database, sqlite3_stmt **ret, const char *format, ...)
{
	char sql[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sql, sizeof(sql), format, arguments);
	va_end(arguments);
	return history_error(database, sqlite3_prepare_v2(database, sql, -1, ret, NULL));
}

/* What the time key is for a bucket. */
static int64_t time_of(const struct question *question, enum query_key key, int64_t bucket_s)
{
	switch (key) {
	case QUERY_HOUR:
		return history_bucket_start(HISTORY_HOUR, bucket_s);
	case QUERY_DAY:
		return history_bucket_start(HISTORY_DAY, bucket_s);
	case QUERY_MONTH:
		return history_bucket_start(HISTORY_MONTH, bucket_s);
	default:
		return question->since_s +
		       (bucket_s - question->since_s) / question->slot_s * question->slot_s;
	}
}

static int64_t text_id(int64_t id)
{
	return id == HISTORY_TEXT_NONE	  ? COLLECTOR_UNKNOWN
	       : id == HISTORY_TEXT_OTHER ? COLLECTOR_OTHER
					  : id;
}

static int64_t service_id(int64_t id)
{
	return id == HISTORY_SERVICE_NONE    ? COLLECTOR_UNKNOWN
	       : id == HISTORY_SERVICE_OTHER ? COLLECTOR_OTHER
					     : id;
}

static int64_t user_id(int64_t id)
{
	return id == HISTORY_NO_USER ? COLLECTOR_UNKNOWN : id;
}

/* A row of either kind of table. */
struct source_row {
	int64_t time_s, user, remote, service;
	const struct history_origin *origin; /* NULL: not needed */
	struct query_amounts amounts;
};

static int64_t id_of(const struct asking *asking, const struct source_row *row, enum query_key key)
{
	switch (key) {
	case QUERY_USER:
		return user_id(row->user);
	case QUERY_LOGIN:
		return user_id(row->origin->login);
	case QUERY_NETWORK:
		return text_id(row->origin->network);
	case QUERY_REMOTE:
		return text_id(row->remote);
	case QUERY_SERVICE:
		return service_id(row->service);
	case QUERY_INTERFACE:
		return text_id(row->origin->interface);
	case QUERY_PROGRAM:
		return text_id(row->origin->program);
	case QUERY_WORKLOAD:
		return text_id(row->origin->workload);
	case QUERY_DIRECTION:
		return 0; /* collect() splits rows */
	default:
		return asking->bucket_id;
	}
}

static bool origin_passes(const struct history_filter *filter, const struct history_origin *origin)
{
	return id_set_has(&filter->sets[QUERY_LOGIN], origin->login) &&
	       id_set_has(&filter->sets[QUERY_NETWORK], origin->network) &&
	       id_set_has(&filter->sets[QUERY_INTERFACE], origin->interface) &&
	       id_set_has(&filter->sets[QUERY_PROGRAM], origin->program) &&
	       id_set_has(&filter->sets[QUERY_WORKLOAD], origin->workload);
}

static void clear_direction(struct query_amounts *amounts, int direction)
{
	amounts->bytes[direction] = 0;
	amounts->wire_bytes[direction] = 0;
	amounts->packets[direction] = 0;
}

/* Adds a row that passes, for each direction by itself where that is a key. */
static int collect(struct asking *asking, struct source_row *row)
{
	const struct question *question = asking->question;
	int64_t ids[QUERY_BY_MAX];
	size_t direction = question->n_by;

	if (asking->time_key < question->n_by && row->time_s != asking->bucket_s) {
		asking->bucket_s = row->time_s;
		asking->bucket_id = time_of(question, question->by[asking->time_key], row->time_s);
	}
	for (size_t i = 0; i < question->n_by; i++) {
		ids[i] = id_of(asking, row, question->by[i]);
		if (question->by[i] == QUERY_DIRECTION)
			direction = i;
	}
	for (int i = 0; i < 2; i++)
		if (!asking->filter.direction[i])
			clear_direction(&row->amounts, i);
	if (direction == question->n_by)
		return query_bytes(&row->amounts, true) || query_bytes(&row->amounts, false)
			       ? collector_add(&asking->collector, ids, &row->amounts)
			       : 0;
	for (int i = 0; i < 2; i++) {
		struct query_amounts amounts = row->amounts;
		int r;

		clear_direction(&amounts, !i);
		if (!amounts.bytes[i])
			continue;
		ids[direction] = i;
		r = collector_add(&asking->collector, ids, &amounts);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_user_row(struct asking *asking, sqlite3_stmt *statement)
{
	struct source_row row = {
		.time_s = sqlite3_column_int64(statement, 0),
		.user = sqlite3_column_int64(statement, 1),
	};

	if (!id_set_has(&asking->filter.sets[QUERY_USER], row.user))
		return 0;
	for (int i = 0; i < 2; i++) {
		row.amounts.bytes[i] = (uint64_t)sqlite3_column_int64(statement, 2 + i);
		row.amounts.wire_bytes[i] = (uint64_t)sqlite3_column_int64(statement, 4 + i);
		row.amounts.packets[i] = (uint64_t)sqlite3_column_int64(statement, 6 + i);
	}
	return collect(asking, &row);
}

static int take_detail_row(struct asking *asking, sqlite3_stmt *statement)
{
	const struct history_filter *filter = &asking->filter;
	struct source_row row = {
		.time_s = sqlite3_column_int64(statement, 0),
		.user = sqlite3_column_int64(statement, 1),
		.remote = sqlite3_column_int64(statement, 2),
		.service = sqlite3_column_int64(statement, 3),
	};

	if (!id_set_has(&filter->sets[QUERY_USER], row.user) ||
	    !id_set_has(&filter->sets[QUERY_REMOTE], row.remote) ||
	    !id_set_has(&filter->sets[QUERY_SERVICE], row.service))
		return 0;
	if (asking->needs_origin) {
		struct history_origin *origin;
		bool is_new;
		int r = history_texts_origin(&asking->texts, sqlite3_column_int64(statement, 4),
					     &origin, &is_new);

		if (r < 0)
			return r;
		if (is_new)
			origin->passes = origin_passes(filter, origin);
		if (!origin->passes)
			return 0;
		row.origin = origin;
	}
	for (int i = 0; i < 2; i++) {
		row.amounts.bytes[i] = (uint64_t)sqlite3_column_int64(statement, 5 + i);
		row.amounts.wire_bytes[i] =
			row.amounts.bytes[i] + (uint64_t)sqlite3_column_int64(statement, 7 + i);
	}
	return collect(asking, &row);
}

static int tell_progress(struct asking *asking, int64_t time_s)
{
	const struct history_segment *first = &asking->segments[0];
	const struct history_segment *last = &asking->segments[asking->n_segments - 1];

	if (!asking->question->progress || ++asking->rows % ROWS_PER_PROGRESS)
		return 0;
	return asking->question->progress(asking->question->progress_userdata,
					  (double)(time_s - first->from) /
						  (double)(last->to - first->from));
}

/* Takes all rows of a statement whose values are bound. */
static int take_rows(struct asking *asking, sqlite3_stmt *statement)
{
	int r;

	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		int taken = asking->detail ? take_detail_row(asking, statement)
					   : take_user_row(asking, statement);

		if (taken == 0)
			taken = tell_progress(asking, sqlite3_column_int64(statement, 0));
		if (taken)
			return taken;
	}
	return r == SQLITE_DONE ? 0 : history_error(asking->database, r);
}

/* Rows of these users alone: for each bucket that there is, and each user, a place in the table. */
static int read_users(struct asking *asking, const struct history_segment *segment,
		      sqlite3_stmt *next, sqlite3_stmt *rows)
{
	const struct id_set *users = &asking->filter.sets[QUERY_USER];
	int64_t at = segment->from;
	int r = 0;

	while (r == 0) {
		sqlite3_bind_int64(next, 1, at);
		sqlite3_bind_int64(next, 2, segment->to);
		r = sqlite3_step(next);
		at = r == SQLITE_ROW ? sqlite3_column_int64(next, 0) : 0;
		sqlite3_reset(next);
		if (r != SQLITE_ROW)
			return r == SQLITE_DONE ? 0 : history_error(asking->database, r);
		r = 0;
		for (size_t i = 0; r == 0 && i < users->n; i++) {
			sqlite3_bind_int64(rows, 1, at);
			sqlite3_bind_int64(rows, 2, users->ids[i]);
			r = take_rows(asking, rows);
			sqlite3_reset(rows);
		}
		at++;
	}
	return r;
}

/* Beyond so many users a look at each row is faster than one for each of them. */
#define USERS_MAX 16

static int read_segment(struct asking *asking, const struct history_segment *segment)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL, *next = NULL;
	const struct id_set *users = &asking->filter.sets[QUERY_USER];
	bool by_user = !users->all && users->n <= USERS_MAX;
	const char *level = history_level_names[segment->level];
	const char *table = asking->detail ? "detail" : "user";
	int r;

	r = history_prepare(
		asking->database, &rows, "SELECT time, user, %s FROM %s_%s WHERE time %s",
		asking->detail ? "remote, service, origin, in_bytes, out_bytes, in_wire_more, "
				 "out_wire_more"
			       : "in_bytes, out_bytes, in_wire_bytes, out_wire_bytes, in_packets, "
				 "out_packets",
		table, level, by_user ? "= ?1 AND user = ?2" : ">= ?1 AND time < ?2");
	if (r < 0)
		return r;
	if (!by_user) {
		sqlite3_bind_int64(rows, 1, segment->from);
		sqlite3_bind_int64(rows, 2, segment->to);
		return take_rows(asking, rows);
	}
	r = history_prepare(
		asking->database, &next,
		"SELECT time FROM %s_%s WHERE time >= ?1 AND time < ?2 ORDER BY time LIMIT 1",
		table, level);
	return r < 0 ? r : read_users(asking, segment, next, rows);
}

int history_read_rows(struct asking *asking)
{
	int r = 0;

	for (int i = 0; r == 0 && i < asking->n_segments; i++)
		r = read_segment(asking, &asking->segments[i]);
	return r;
}

#endif
