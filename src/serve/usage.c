// SPDX-License-Identifier: GPL-2.0-or-later
/* /api/v1/usage. The asker's uid is a condition of the query itself, whatever the parameters are. */
#include "serve/usage.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "query/period.h"
#include "serve/database.h"
#include "util/cleanup.h"

/* What rows are told apart by, and filtered by. */
static const struct key {
	const char *name;
	const char *column; /* as text */
	bool detail;	    /* of the view `usage`, not of `users` */
	bool time;
} keys[] = {
	{ "user", "coalesce(user, CASE WHEN uid >= 0 THEN uid END)", false, false },
	{ "login", "CASE WHEN login_uid >= 0 THEN login_uid END", true, false },
	{ "network", "nullif(network, '')", true, false },
	{ "remote", "nullif(remote, '')", true, false },
	{ "service", "nullif(service, '')", true, false },
	{ "interface", "nullif(interface, '')", true, false },
	{ "program", "nullif(program, '')", true, false },
	{ "workload", "nullif(workload, '')", true, false },
	{ "hour", "strftime('%Y-%m-%d %H:00', time, 'unixepoch', 'localtime')", false, true },
	{ "day", "strftime('%Y-%m-%d', time, 'unixepoch', 'localtime')", false, true },
	{ "month", "strftime('%Y-%m', time, 'unixepoch', 'localtime')", false, true },
};

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

void usage_free(struct usage *usage)
{
	for (size_t i = 0; i < usage->n; i++)
		for (size_t k = 0; k < USAGE_KEYS_MAX; k++)
			free(usage->rows[i].keys[k]);
	free(usage->rows);
	*usage = (struct usage){ 0 };
}

static int read_time(const struct target *target, const char *name, const char *otherwise,
		     int64_t *ret)
{
	struct span span;
	int r = span_parse(target_get(target, name) ?: otherwise, time(NULL), &span);

	*ret = strcmp(name, "until") == 0 ? span.end_s : span.begin_s;
	return r;
}

static int read_by(const char *list, struct usage *usage)
{
	char copy[128], *next = copy, *name;

	if (strlen(list) >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, list, strlen(list) + 1);
	while ((name = strsep(&next, ","))) {
		const struct key *key = find_key(name);

		if (!key || usage->n_by == USAGE_KEYS_MAX)
			return -EINVAL;
		for (size_t i = 0; i < usage->n_by; i++)
			if (strcmp(usage->by[i], key->name) == 0)
				return -EINVAL;
		usage->by[usage->n_by++] = key->name;
	}
	return 0;
}

/* A misspelt parameter would otherwise be an answer to another question. */
static bool knows(const char *name)
{
	const struct key *key = find_key(name);

	return (key && !key->time) || strcmp(name, "by") == 0 || strcmp(name, "since") == 0 ||
	       strcmp(name, "until") == 0 || strcmp(name, "top") == 0 ||
	       strcmp(name, "format") == 0;
}

static int refuse(struct reply *reply, const char *why)
{
	reply_error(reply, 400, "%s", why);
	return -EINVAL;
}

static int read_question(const struct ask *ask, struct usage *usage, struct reply *reply)
{
	const struct target *target = &ask->target;
	const char *top = target_get(target, "top") ?: "100";

	for (size_t i = 0; i < target->n; i++) {
		if (!knows(target->parameters[i].name))
			return refuse(reply,
				      "there is no such parameter; there are by, since, until, "
				      "top, format, user, login, network, remote, service, "
				      "interface, program, workload");
		for (size_t k = 0; k < i; k++)
			if (strcmp(target->parameters[k].name, target->parameters[i].name) == 0)
				return refuse(reply, "a parameter is there twice");
	}
	if (read_by(target_get(target, "by") ?: "user", usage) < 0)
		return refuse(reply, "by= is up to four of user, login, network, remote, service, "
				     "interface, program, workload, hour, day, month");
	if (read_time(target, "since", "this-month", &usage->since_s) < 0 ||
	    read_time(target, "until", "now", &usage->until_s) < 0)
		return refuse(reply, "since= and until= are times as 2026-11-25, today, "
				     "this-month, -7d, -12h, now");
	if (usage->until_s < usage->since_s)
		return refuse(reply, "the period ends before it begins");
	usage->top = strtoull(top, NULL, 10);
	if (!*top || top[strspn(top, "0123456789")] || !usage->top || usage->top > USAGE_TOP_MAX)
		return refuse(reply, "top= is a number from 1 to 10000");
	return 0;
}

/* Makes the query; conditions are by number, as the values are bound. Returns 0 or -ENOMEM: a query that
 * lacks its last condition would show an asker what is others'. */
static int make_query(const struct ask *ask, const struct usage *usage, char *ret, size_t size)
{
	struct json_text where = { 0 }, columns = { 0 };
	bool detail = false;
	int n = -1;

	for (size_t i = 0; i < usage->n_by; i++) {
		const struct key *key = find_key(usage->by[i]);

		detail |= key->detail;
		json_text_printf(&columns, "%s%s", i ? ", " : "", key->column);
	}
	for (size_t i = 0; i < ask->target.n; i++) {
		const struct key *key = find_key(ask->target.parameters[i].name);

		if (!key)
			continue;
		detail |= key->detail;
		if (strcmp(key->name, "user") == 0)
			json_text_printf(&where, " AND (user = ?%zu OR CAST(uid AS TEXT) = ?%zu)",
					 i + 10, i + 10);
		else
			json_text_printf(&where, " AND CAST(%s AS TEXT) = ?%zu", key->column,
					 i + 10);
	}
	if (!ask->asker.everything)
		json_text_printf(&where, " AND uid = %u", ask->asker.uid);
	if (!where.failed && !columns.failed)
		n = snprintf(ret, size,
			     "SELECT %s, sum(in_bytes), sum(out_bytes) FROM %s WHERE time >= ?1 "
			     "AND time < ?2%s"
			     " GROUP BY %s ORDER BY %s",
			     columns.data ?: "", detail ? "usage" : "users", where.data ?: "",
			     usage->n_by == 1	? "1"
			     : usage->n_by == 2 ? "1, 2"
			     : usage->n_by == 3 ? "1, 2, 3"
						: "1, 2, 3, 4",
			     find_key(usage->by[0])->time
				     ? "1"
				     : "sum(in_bytes) + sum(out_bytes) DESC, 1");
	json_text_free(&where);
	json_text_free(&columns);
	return n >= 0 && (size_t)n < size ? 0 : -ENOMEM;
}

static int add_row(struct usage *usage, sqlite3_stmt *statement)
{
	struct usage_row *row;
	int n = (int)usage->n_by;

	if (usage->n % 256 == 0) {
		struct usage_row *rows =
			reallocarray(usage->rows, usage->n + 256, sizeof(*usage->rows));

		if (!rows)
			return -ENOMEM;
		usage->rows = rows;
	}
	if (usage->n <= usage->top) {
		row = &usage->rows[usage->n++];
		*row = (struct usage_row){ .other = usage->n > usage->top };
		for (int i = 0; i < n && !row->other; i++) {
			const char *text = (const char *)sqlite3_column_text(statement, i);

			row->keys[i] = text ? strdup(text) : NULL;
			if (text && !row->keys[i])
				return -ENOMEM;
		}
	} else {
		row = &usage->rows[usage->n - 1];
	}
	row->in += (uint64_t)sqlite3_column_int64(statement, n);
	row->out += (uint64_t)sqlite3_column_int64(statement, n + 1);
	usage->in += (uint64_t)sqlite3_column_int64(statement, n);
	usage->out += (uint64_t)sqlite3_column_int64(statement, n + 1);
	return 0;
}

static int read_rows(sqlite3 *database, const struct ask *ask, struct usage *usage,
		     struct reply *reply)
{
	char query[4096];
	sqlite3_stmt *statement;
	int r, error = 0;

	if (make_query(ask, usage, query, sizeof(query)) < 0)
		return -ENOMEM;
	r = sqlite3_prepare_v2(database, query, -1, &statement, NULL);
	if (r != SQLITE_OK)
		return database_fail(database, r, reply) ?: -EIO;
	sqlite3_bind_int64(statement, 1, usage->since_s);
	sqlite3_bind_int64(statement, 2, usage->until_s);
	for (size_t i = 0; i < ask->target.n; i++)
		if (find_key(ask->target.parameters[i].name))
			sqlite3_bind_text(statement, (int)i + 10, ask->target.parameters[i].value,
					  -1, SQLITE_STATIC);
	while (error == 0 && (r = sqlite3_step(statement)) == SQLITE_ROW)
		error = add_row(usage, statement);
	if (error == 0 && r != SQLITE_DONE)
		error = database_fail(database, r, reply) ?: -EIO;
	sqlite3_finalize(statement);
	return error;
}

int usage_ask(const struct server *server, const struct ask *ask, struct usage *ret,
	      struct reply *reply)
{
	_cleanup_(database_close) sqlite3 *database = NULL;
	char why[512];
	int r;

	*ret = (struct usage){ 0 };
	r = read_question(ask, ret, reply);
	if (r < 0)
		return r;
	/* What is of this second is in. */
	if (!target_get(&ask->target, "until") ||
	    strcmp(target_get(&ask->target, "until"), "now") == 0)
		ret->until_s++;
	r = database_open(server, &database, why);
	if (r < 0) {
		reply_error(reply, 503, "%s", why);
		return r;
	}
	r = read_rows(database, ask, ret, reply);
	if (r < 0)
		usage_free(ret);
	return r;
}

static void put_json(const struct usage *usage, struct json_text *text)
{
	json_text_printf(text,
			 "{\"version\":1,\"since\":%" PRId64 ",\"until\":%" PRId64 ",\"by\":[",
			 usage->since_s, usage->until_s);
	for (size_t i = 0; i < usage->n_by; i++)
		json_text_printf(text, "%s\"%s\"", i ? "," : "", usage->by[i]);
	json_text_put(text, "],\"rows\":[");
	for (size_t i = 0; i < usage->n; i++) {
		const struct usage_row *row = &usage->rows[i];

		json_text_put(text, i ? ",\n{" : "\n{");
		for (size_t k = 0; k < usage->n_by; k++) {
			json_text_printf(text, "\"%s\":", usage->by[k]);
			json_text_put_string(text, row->keys[k]);
			json_text_put(text, ",");
		}
		json_text_printf(text, "%s\"received\":%" PRIu64 ",\"sent\":%" PRIu64 "}",
				 row->other ? "\"other\":true," : "", row->in, row->out);
	}
	json_text_printf(text, "],\"received\":%" PRIu64 ",\"sent\":%" PRIu64 "}\n", usage->in,
			 usage->out);
}

/* A cell that begins as a formula does is text for a spreadsheet, too. */
static void put_cell(struct json_text *text, const char *cell)
{
	json_text_put(text, "\"");
	if (*cell && strchr("=+-@\t\r", *cell))
		json_text_put(text, "'");
	for (; *cell; cell++) {
		if (*cell == '"')
			json_text_put(text, "\"");
		json_text_put_bytes(text, cell, 1);
	}
	json_text_put(text, "\"");
}

static void put_csv(const struct usage *usage, struct json_text *text)
{
	for (size_t i = 0; i < usage->n_by; i++)
		json_text_printf(text, "%s,", usage->by[i]);
	json_text_put(text, "received,sent\n");
	for (size_t i = 0; i < usage->n; i++) {
		const struct usage_row *row = &usage->rows[i];

		for (size_t k = 0; k < usage->n_by; k++) {
			put_cell(text, row->other ? "other" : row->keys[k] ?: "");
			json_text_put(text, ",");
		}
		json_text_printf(text, "%" PRIu64 ",%" PRIu64 "\n", row->in, row->out);
	}
}

int usage_answer(struct server *server, const struct ask *ask, struct reply *reply)
{
	const char *format = target_get(&ask->target, "format") ?: "json";
	struct usage usage;
	int r;

	if (strcmp(format, "json") != 0 && strcmp(format, "csv") != 0)
		return reply_error(reply, 400, "format= is json or csv");
	r = usage_ask(server, ask, &usage, reply);
	if (r < 0)
		return r;
	reply->type = *format == 'c' ? "text/csv; charset=utf-8" : "application/json";
	if (*format == 'c')
		put_csv(&usage, &reply->body);
	else
		put_json(&usage, &reply->body);
	usage_free(&usage);
	return 0;
}
