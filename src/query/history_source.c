// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Questions to a history in an SQLite database. All that one answer is made of is read in one
 * transaction, so a roll-up in between counts nothing twice.
 *
 * What is asked by user, direction and time alone is answered from the users' tables, all else from
 * the details'.
 */
#ifdef HAVE_SQLITE3

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "history/history.h"
#include "query/history_asking.h"
#include "query/source.h"
#include "util/cleanup.h"
#include "util/log.h"

struct history_context {
	sqlite3 *database;
	char *path;
};

static bool is_origin_key(enum query_key key)
{
	return key == QUERY_LOGIN || key == QUERY_NETWORK || key == QUERY_INTERFACE ||
	       key == QUERY_PROGRAM || key == QUERY_WORKLOAD;
}

static bool is_detail_key(enum query_key key)
{
	return is_origin_key(key) || key == QUERY_REMOTE || key == QUERY_SERVICE;
}

/* The longest buckets that still tell apart what is asked for. */
static enum history_level choose_coarsest(const struct question *question, enum query_key key)
{
	switch (key) {
	case QUERY_HOUR:
		return HISTORY_HOUR;
	case QUERY_DAY:
		return HISTORY_DAY;
	case QUERY_SLOT:
		return question->slot_s < 3600			? HISTORY_5MIN
		       : question->slot_s < INT64_C(86400)	? HISTORY_HOUR
		       : question->slot_s < 28 * INT64_C(86400) ? HISTORY_DAY
								: HISTORY_MONTH;
	default:
		return HISTORY_MONTH;
	}
}

static void choose_tables(struct asking *asking)
{
	const struct question *question = asking->question;

	asking->time_key = question->n_by;
	asking->coarsest = HISTORY_MONTH;
	for (size_t i = 0; i < question->n_by; i++) {
		asking->detail |= is_detail_key(question->by[i]);
		asking->needs_origin |= is_origin_key(question->by[i]);
		if (query_key_is_time(question->by[i])) {
			asking->time_key = i;
			asking->coarsest = choose_coarsest(question, question->by[i]);
		}
	}
	for (size_t key = 0; key < QUERY_KEYS_FILTERED; key++) {
		if (!question->filters[key].n)
			continue;
		asking->detail |= is_detail_key((enum query_key)key);
		asking->needs_origin |= is_origin_key((enum query_key)key);
	}
}

/* The one number that the query gives, *ret untouched when it is NULL. */
static int read_number(sqlite3 *database, const char *sql, int64_t *ret)
{
	sqlite3_stmt *statement;
	int r = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);

	if (r != SQLITE_OK)
		return history_error(database, r);
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL)
		*ret = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return r == SQLITE_ROW ? 0 : history_error(database, r);
}

/* The first and the last bucket of the history: a period may be as wide as it likes. */
static int read_bounds(struct asking *asking, int64_t *ret_first_s, int64_t *ret_end_s)
{
	int64_t first_s = INT64_MAX, end_s = INT64_MIN;

	for (int level = 0; level < HISTORY_LEVELS; level++) {
		int64_t least_s = INT64_MAX, most_s = INT64_MIN;
		char sql[128];
		int r;

		snprintf(sql, sizeof(sql), "SELECT min(time) FROM user_%s",
			 history_level_names[level]);
		r = read_number(asking->database, sql, &least_s);
		if (r < 0)
			return r;
		snprintf(sql, sizeof(sql), "SELECT max(time) FROM user_%s",
			 history_level_names[level]);
		r = read_number(asking->database, sql, &most_s);
		if (r < 0)
			return r;
		if (least_s == INT64_MAX)
			continue;
		most_s = history_bucket_end((enum history_level)level, most_s);
		first_s = least_s < first_s ? least_s : first_s;
		end_s = most_s > end_s ? most_s : end_s;
	}
	*ret_first_s = first_s;
	*ret_end_s = end_s;
	return 0;
}

static int plan(struct asking *asking, struct answer *answer)
{
	int64_t since_s = asking->question->since_s, until_s = asking->question->until_s;
	int64_t first_s = 0, end_s = 0;
	int r = history_read_levels(asking->database, asking->levels);

	answer->since_s = since_s;
	answer->until_s = until_s;
	if (r == 0)
		r = read_bounds(asking, &first_s, &end_s);
	if (r < 0)
		return r;
	since_s = since_s < first_s ? first_s : since_s;
	until_s = until_s > end_s ? end_s : until_s;
	if (since_s >= until_s)
		return 0;
	r = history_plan(asking->levels, since_s, until_s, asking->coarsest, asking->segments);
	if (r < 0)
		return r;
	asking->n_segments = r;
	for (int i = 0; i < r; i++) {
		const struct history_segment *segment = &asking->segments[i];
		int64_t width_s = history_bucket_end(segment->level, segment->from) - segment->from;

		if (width_s > answer->bucket_s)
			answer->bucket_s = width_s;
		if (segment->from < answer->since_s)
			answer->since_s = segment->from;
		if (segment->to > answer->until_s)
			answer->until_s = segment->to;
	}
	return 0;
}

/* For how long a meter ran in the period. Runs may overlap: of two instances, of a clock set back. */
static int read_coverage(struct asking *asking, struct answer *answer)
{
	_cleanup_statement_ sqlite3_stmt *rows = NULL;
	int64_t since_s = answer->since_s, until_s = answer->until_s;
	int r = history_prepare(
		asking->database, &rows,
		"SELECT start, \"end\" FROM coverage WHERE \"end\" > ?1 AND start < ?2"
		" ORDER BY start");

	if (r < 0)
		return r;
	sqlite3_bind_int64(rows, 1, since_s);
	sqlite3_bind_int64(rows, 2, until_s);
	while ((r = sqlite3_step(rows)) == SQLITE_ROW) {
		int64_t start_s = sqlite3_column_int64(rows, 0),
			end_s = sqlite3_column_int64(rows, 1);

		start_s = start_s < since_s ? since_s : start_s;
		end_s = end_s > until_s ? until_s : end_s;
		if (!answer->covered_until_s)
			answer->covered_since_s = answer->covered_until_s = start_s;
		if (start_s > answer->covered_until_s)
			answer->off_s += start_s - answer->covered_until_s;
		if (end_s > answer->covered_until_s)
			answer->covered_until_s = end_s;
	}
	return r == SQLITE_DONE ? 0 : history_error(asking->database, r);
}

static int name_rows(struct asking *asking, struct answer *answer)
{
	const struct question *question = asking->question;

	for (size_t i = 0; i < answer->n_rows; i++)
		for (size_t j = 0; j < question->n_by; j++) {
			struct query_value *value = &answer->rows[i].values[j];
			int r = 0;

			if (value->kind == QUERY_VALUE_KNOWN)
				r = history_texts_name(&asking->texts, question->by[j],
						       value->number, &value->text);
			if (r < 0)
				return r;
		}
	return 0;
}

static int read_answer(struct asking *asking, struct answer *answer)
{
	int r = history_texts_open(&asking->texts, asking->database);

	if (r == 0)
		r = history_filter_read(&asking->filter, asking->database, asking->question);
	if (r == 0)
		r = plan(asking, answer);
	if (r == 0)
		r = history_read_rows(asking);
	if (r == 0)
		r = collector_finish(&asking->collector, answer);
	if (r == 0)
		r = name_rows(asking, answer);
	return r == 0 ? read_coverage(asking, answer) : r;
}

static void asking_free(struct asking *asking)
{
	history_texts_close(&asking->texts);
	history_filter_free(&asking->filter);
	collector_free(&asking->collector);
}

static int complain(const struct history_context *context, int error)
{
	switch (error) {
	case -ESRCH:
	case -EINVAL:
	case -EACCES:
	case -ECANCELED:
		return error; /* told, or the caller's */
	case -EBADMSG:
		log_error(
			"%s is damaged (%s); the meter sets it aside and begins a new one when it "
			"starts",
			context->path, sqlite3_errmsg(context->database));
		return error;
	case -EBUSY:
		log_error("%s is locked by another program; try again", context->path);
		return error;
	default:
		return log_error_errno(error, "read %s", context->path);
	}
}

static int history_ask(struct query_source *source, const struct question *question,
		       struct answer *ret_answer)
{
	struct history_context *context = source->context;
	_cleanup_(asking_free) struct asking asking = {
		.question = question,
		.database = context->database,
		.bucket_s = INT64_MIN,
	};
	int r;

	collector_init(&asking.collector, question);
	choose_tables(&asking);
	r = history_error(context->database,
			  sqlite3_exec(context->database, "BEGIN", NULL, NULL, NULL));
	if (r == 0)
		r = read_answer(&asking, ret_answer);
	if (r < 0)
		complain(context, r);
	/* Before the statements go, which would keep the transaction open. */
	history_texts_close(&asking.texts);
	if (!sqlite3_get_autocommit(context->database))
		sqlite3_exec(context->database, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static void history_close(struct query_source *source)
{
	struct history_context *context = source->context;

	sqlite3_close(context->database);
	free(context->path);
	free(context);
}

static int history_open(struct query_source *source, const char *target)
{
	struct history_context *context = calloc(1, sizeof(*context));
	char why[HISTORY_WHY_MAX] = "";
	int r;

	if (!context)
		return log_error_errno(-ENOMEM, "open %s", target);
	source->context = context;
	context->path = strdup(target);
	r = context->path ? history_open_read(target, &context->database, why) : -ENOMEM;
	if (r == 0)
		return 0;
	if (*why)
		log_error("%s", why);
	else
		log_error_errno(r, "open %s", target);
	history_close(source);
	return r;
}

const struct query_source_ops history_source = {
	.kind = "history",
	.open = history_open,
	.ask = history_ask,
	.close = history_close,
};

#endif
