// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The question as SQL. The period is covered by rows of several levels, each byte once (history_plan()).
 * Questions by user and time alone are answered from the small tables of users.
 */
#ifdef HAVE_SQLITE3
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "history/history.h"
#include "report/report.h"
#include "util/cleanup.h"
#include "util/log.h"

const char *const report_key_names[REPORT_KEYS] = {
	[REPORT_USER] = "user",
	[REPORT_LOGIN] = "login",
	[REPORT_NETWORK] = "network",
	[REPORT_REMOTE] = "remote",
	[REPORT_SERVICE] = "service",
	[REPORT_INTERFACE] = "interface",
	[REPORT_PROGRAM] = "program",
	[REPORT_WORKLOAD] = "workload",
	[REPORT_DIRECTION] = "direction",
	[REPORT_HOUR] = "hour",
	[REPORT_DAY] = "day",
	[REPORT_MONTH] = "month",
};

static const char *const expressions[REPORT_KEYS] = {
	[REPORT_USER] = "CASE WHEN uid = -1 THEN '(no user)' ELSE COALESCE(user, uid) END",
	[REPORT_LOGIN] = "CASE WHEN login_uid IS NULL THEN '' ELSE COALESCE("
			 "(SELECT name FROM user l WHERE l.uid = login_uid), login_uid) END",
	[REPORT_NETWORK] = "network",
	[REPORT_REMOTE] = "remote",
	[REPORT_SERVICE] = "service",
	[REPORT_INTERFACE] = "interface",
	[REPORT_PROGRAM] = "program",
	[REPORT_WORKLOAD] = "workload",
	[REPORT_DIRECTION] = "direction",
	[REPORT_HOUR] = "strftime('%Y-%m-%d %H:00', time, 'unixepoch', 'localtime')",
	[REPORT_DAY] = "strftime('%Y-%m-%d', time, 'unixepoch', 'localtime')",
	[REPORT_MONTH] = "strftime('%Y-%m', time, 'unixepoch', 'localtime')",
};

static void close_database(sqlite3 **database)
{
	sqlite3_close(*database);
}

static void finalize(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

static bool groups_by(const struct report_question *question, enum report_key key)
{
	for (size_t i = 0; i < question->n_by; i++)
		if (question->by[i] == key)
			return true;
	return false;
}

static bool needs_detail(const struct report_question *question)
{
	for (int key = REPORT_LOGIN; key <= REPORT_WORKLOAD; key++)
		if (question->filters[key] || groups_by(question, (enum report_key)key))
			return true;
	return false;
}

/* A bucket must not be longer than the time that rows are told apart by. */
static enum history_level coarsest_level(const struct report_question *question)
{
	if (groups_by(question, REPORT_HOUR))
		return HISTORY_HOUR;
	return groups_by(question, REPORT_DAY) ? HISTORY_DAY : HISTORY_MONTH;
}

static void write_part(const struct history_segment *segment, bool detail, FILE *sql)
{
	const char *level = history_level_names[segment->level];

	if (detail)
		fprintf(sql,
			"SELECT time, uid, user, login_uid, remote, service, network, interface, "
			"program, workload, in_bytes, out_bytes, in_wire_bytes, out_wire_bytes "
			"FROM usage_%s",
			level);
	else
		fprintf(sql,
			"SELECT t.time AS time, t.user AS uid, n.name AS user, t.in_bytes AS "
			"in_bytes, "
			"t.out_bytes AS out_bytes, t.in_wire_bytes AS in_wire_bytes, "
			"t.out_wire_bytes AS out_wire_bytes "
			"FROM user_%s t LEFT JOIN user n ON n.uid = t.user",
			level);
	fprintf(sql, " WHERE time >= %lld AND time < %lld", (long long)segment->from,
		(long long)segment->to);
}

static void write_filters(const struct report_question *question, FILE *sql)
{
	const char *word = " WHERE ";

	for (int key = 0; key < REPORT_FILTERS; key++) {
		if (!question->filters[key])
			continue;
		/* A user is named by name or by number. */
		if (key == REPORT_USER)
			fprintf(sql, "%s(%s = ?%d OR CAST(uid AS TEXT) = ?%d)", word,
				expressions[key], key + 1, key + 1);
		else if (key == REPORT_LOGIN)
			fprintf(sql, "%s(%s = ?%d OR CAST(login_uid AS TEXT) = ?%d)", word,
				expressions[key], key + 1, key + 1);
		else
			fprintf(sql, "%s%s = ?%d", word, expressions[key], key + 1);
		word = " AND ";
	}
}

static char *write_sql(const struct report_question *question,
		       const struct history_segment *segments, int n)
{
	const char *wire = question->wire ? "_wire" : "";
	bool by_time = question->n_by && question->by[0] >= REPORT_HOUR;
	char *text = NULL;
	size_t size;
	FILE *sql = open_memstream(&text, &size);

	if (!sql)
		return NULL;
	fputs("WITH part AS (", sql);
	for (int i = 0; i < n; i++) {
		fputs(i ? " UNION ALL " : "", sql);
		write_part(&segments[i], needs_detail(question), sql);
	}
	fputs(") SELECT ", sql);
	for (size_t i = 0; i < question->n_by; i++)
		fprintf(sql, "%s AS k%zu, ", expressions[question->by[i]], i);
	if (groups_by(question, REPORT_DIRECTION) || question->filters[REPORT_DIRECTION])
		fprintf(sql,
			"sum(in%s_bytes * (direction = 'in')) AS received, "
			"sum(out%s_bytes * (direction = 'out')) AS sent FROM part CROSS JOIN "
			"(SELECT 'in' AS direction UNION ALL SELECT 'out')",
			wire, wire);
	else
		fprintf(sql, "sum(in%s_bytes) AS received, sum(out%s_bytes) AS sent FROM part",
			wire, wire);
	write_filters(question, sql);
	for (size_t i = 0; i < question->n_by; i++)
		fprintf(sql, "%s%zu", i ? ", " : " GROUP BY ", i + 1);
	fprintf(sql, " HAVING received + sent > 0 ORDER BY %sreceived + sent DESC",
		by_time ? "1, " : "");
	return fclose(sql) == 0 ? text : NULL;
}

static int add_row(struct report_answer *answer, sqlite3_stmt *statement, size_t n_by)
{
	struct report_row *row;

	/* Doubled at each power of two. */
	if (!(answer->n & (answer->n - 1))) {
		struct report_row *rows =
			reallocarray(answer->rows, answer->n ? 2 * answer->n : 1, sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		answer->rows = rows;
	}
	row = &answer->rows[answer->n];
	*row = (struct report_row){
		.in = (uint64_t)sqlite3_column_int64(statement, (int)n_by),
		.out = (uint64_t)sqlite3_column_int64(statement, (int)n_by + 1),
	};
	answer->n++;
	answer->in += row->in;
	answer->out += row->out;
	for (size_t i = 0; i < n_by; i++) {
		const char *text = (const char *)sqlite3_column_text(statement, (int)i);

		row->keys[i] = strdup(text ? text : "");
		if (!row->keys[i])
			return -ENOMEM;
	}
	return 0;
}

static int read_rows(sqlite3 *database, const char *path, const struct report_question *question,
		     const char *sql, struct report_answer *ret)
{
	_cleanup_(finalize) sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(database, sql, -1, &statement, NULL), r;

	for (int key = 0; key < REPORT_FILTERS && code == SQLITE_OK; key++)
		if (question->filters[key])
			code = sqlite3_bind_text(statement, key + 1, question->filters[key], -1,
						 SQLITE_STATIC);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(statement);
		if (code == SQLITE_ROW && (r = add_row(ret, statement, question->n_by)) < 0)
			return log_error_errno(r, "read the history %s", path);
	}
	if (code == SQLITE_DONE)
		return 0;
	log_error("read the history %s: %s", path, sqlite3_errmsg(database));
	return history_error(database, code) ?: -EIO;
}

/* A run that has not ended is running still, or its end is not known: it counts up to now. */
static void read_coverage(sqlite3 *database, struct report_answer *answer)
{
	_cleanup_(finalize) sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(
		    database,
		    "SELECT sum(max(0, min(COALESCE(\"end\", ?2), ?2) - max(start, ?1))) "
		    "FROM coverage",
		    -1, &statement, NULL) != SQLITE_OK)
		return;
	sqlite3_bind_int64(statement, 1, answer->since_s);
	sqlite3_bind_int64(statement, 2, answer->until_s);
	if (sqlite3_step(statement) == SQLITE_ROW)
		answer->metered_s = (uint64_t)sqlite3_column_int64(statement, 0);
}

int report_ask(const char *path, const struct report_question *question, struct report_answer *ret)
{
	_cleanup_(close_database) sqlite3 *database = NULL;
	_cleanup_free_ char *sql = NULL;
	struct history_level_state states[HISTORY_LEVELS];
	struct history_segment segments[HISTORY_SEGMENTS_MAX];
	char why[HISTORY_WHY_MAX];
	int n, r = history_open_read(path, &database, why);

	if (r < 0) {
		log_error("%s", why);
		return r;
	}
	r = history_read_levels(database, states);
	if (r < 0)
		return log_error_errno(r, "read the history %s", path);
	n = history_plan(states, question->since_s, question->until_s, coarsest_level(question),
			 segments);
	if (n < 0)
		return log_error_errno(n, "find the rows of the period in %s", path);
	*ret = (struct report_answer){ .since_s = question->since_s, .until_s = question->until_s };
	if (!n)
		return 0;
	ret->since_s = segments[0].from;
	ret->until_s = segments[n - 1].to;
	sql = write_sql(question, segments, n);
	if (!sql)
		return log_error_errno(-ENOMEM, "make the question");
	r = read_rows(database, path, question, sql, ret);
	if (r == 0)
		read_coverage(database, ret);
	return r;
}

void report_answer_free(struct report_answer *answer, size_t n_by)
{
	for (size_t i = 0; i < answer->n; i++)
		for (size_t j = 0; j < n_by; j++)
			free(answer->rows[i].keys[j]);
	free(answer->rows);
	*answer = (struct report_answer){ 0 };
}

#endif
