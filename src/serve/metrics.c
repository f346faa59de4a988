// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /metrics. The users' and networks' counters are the sums of the whole history. So they go on where they were
 * when the meter, or this program, has restarted, and what a killed meter writes again is in them once: a
 * batch is in the history's own transaction.
 *
 * Beyond --metrics-users the users with the highest uids are added up in one series. Not those with the fewest
 * bytes: a user who leaves such a sum makes it go back, which Prometheus takes for a restart.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command/status_text.h"
#include "history/history.h"
#include "live/client.h"
#include "serve/database.h"
#include "util/cleanup.h"

#define METER_TIMEOUT_MS 3000
#define RECENT_NS	 100000000

struct counter {
	const char *name, *help;
};

/* In the order of the queries' columns. */
static const struct counter counters[] = {
	{ "receive_bytes_total", "Bytes received, from the IP header on." },
	{ "transmit_bytes_total", "Bytes sent, from the IP header on." },
	{ "receive_wire_bytes_total", "Bytes received, with the headers of each segment." },
	{ "transmit_wire_bytes_total", "Bytes sent, with the headers of each segment." },
	{ "receive_packets_total", "Packets received, as the kernel saw them." },
	{ "transmit_packets_total", "Packets sent, as the kernel saw them." },
};

#define COUNTERS 6

struct series {
	char *label; /* with its braces */
	uint64_t sums[COUNTERS];
};

struct table {
	struct series *series;
	size_t n, allocated;
};

static void table_free(struct table *table)
{
	for (size_t i = 0; i < table->n; i++)
		free(table->series[i].label);
	free(table->series);
}

static struct series *add_series(struct table *table)
{
	if (table->n == table->allocated) {
		size_t allocated = table->allocated * 2 + 64;
		struct series *series =
			reallocarray(table->series, allocated, sizeof(*table->series));

		if (!series)
			return NULL;
		table->series = series;
		table->allocated = allocated;
	}
	table->series[table->n] = (struct series){ 0 };
	return &table->series[table->n++];
}

/* A label's value: backslash, quote and newline are escaped. */
static void put_label(struct json_text *text, const char *value)
{
	json_text_put(text, "\"");
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			json_text_put(text, "\\");
		if (*value == '\n')
			json_text_put(text, "\\n");
		else
			json_text_put_bytes(text, value, 1);
	}
	json_text_put(text, "\"");
}

static char *user_label(int64_t uid, const char *name)
{
	struct json_text text = { 0 };
	char number[24];

	snprintf(number, sizeof(number), "%" PRId64, uid);
	json_text_printf(&text, "{uid=\"%s\",username=", uid < 0 ? "" : number);
	put_label(&text, uid < 0 ? "none" : name && *name ? name : number);
	json_text_put(&text, "}");
	return text.data;
}

static char *network_label(const char *name)
{
	struct json_text text = { 0 };

	json_text_put(&text, "{network=");
	put_label(&text, name && *name ? name : "unknown");
	json_text_put(&text, "}");
	return text.data;
}

/* %s: a condition. */
#define USERS_QUERY                                                                               \
	"SELECT user, (SELECT name FROM user WHERE uid = a.user), sum(in_bytes), sum(out_bytes)," \
	" sum(in_wire_bytes), sum(out_wire_bytes), sum(in_packets), sum(out_packets)"             \
	" FROM all_users a WHERE %s GROUP BY user ORDER BY user"

static const char networks_query[] =
	"SELECT 0, network, sum(in_bytes), sum(out_bytes), sum(in_wire_bytes),"
	" sum(out_wire_bytes) FROM usage GROUP BY network ORDER BY network";

/* Reads a table's rows; columns beyond the query's own are 0. Returns SQLITE_OK or SQLite's code. */
static int read_rows(sqlite3 *database, const char *query, bool users, uint64_t most,
		     struct table *table)
{
	sqlite3_stmt *statement;
	struct series *other = NULL;
	int r = sqlite3_prepare_v2(database, query, -1, &statement, NULL);

	if (r != SQLITE_OK)
		return r;
	while ((r = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 1);
		struct series *series = users && table->n > most ? other : add_series(table);

		if (!series)
			break;
		if (users && table->n > most && !other)
			(other = series)->label = strdup("{uid=\"\",username=\"other\"}");
		else if (series != other)
			series->label = users ? user_label(sqlite3_column_int64(statement, 0), name)
					      : network_label(name);
		if (!series->label)
			break;
		for (int i = 0; i + 2 < sqlite3_column_count(statement); i++)
			series->sums[i] += (uint64_t)sqlite3_column_int64(statement, i + 2);
	}
	sqlite3_finalize(statement);
	return r == SQLITE_DONE ? SQLITE_OK : r == SQLITE_ROW ? SQLITE_NOMEM : r;
}

static void write_table(const struct table *table, const char *prefix, int n_counters,
			struct json_text *text)
{
	for (int i = 0; i < n_counters && table->n; i++) {
		json_text_printf(text,
				 "# HELP traffic_meter_%s_%s %s\n# TYPE traffic_meter_%s_%s "
				 "counter\n",
				 prefix, counters[i].name, counters[i].help, prefix,
				 counters[i].name);
		for (size_t k = 0; k < table->n; k++) {
			json_text_put(text, "traffic_meter_");
			json_text_put(text, prefix);
			json_text_put(text, "_");
			json_text_put(text, counters[i].name);
			json_text_put(text, table->series[k].label);
			json_text_put(text, " ");
			json_text_put_number(text, table->series[k].sums[i]);
			json_text_put(text, "\n");
		}
	}
}

/* Both tables in one transaction: they are of the same moment. */
static int read_history(const struct server *server, const struct asker *asker,
			struct json_text *text)
{
	_cleanup_(database_close) sqlite3 *database = NULL;
	_cleanup_(table_free) struct table users = { 0 }, networks = { 0 };
	char why[512], query[1024], own[32];
	int r = database_open(server, &database, why);

	if (r < 0)
		return r;
	snprintf(own, sizeof(own), "user = %u", asker->uid);
	snprintf(query, sizeof(query), USERS_QUERY, asker->everything ? "1" : own);
	r = sqlite3_exec(database, "BEGIN", NULL, NULL, NULL);
	if (r == SQLITE_OK)
		r = read_rows(database, query, true, server->settings->metrics_users, &users);
	if (r == SQLITE_OK && asker->everything)
		r = read_rows(database, networks_query, false, 0, &networks);
	if (r != SQLITE_OK)
		return history_error(database, r);
	write_table(&users, "user", COUNTERS, text);
	write_table(&networks, "network", 4, text);
	return 0;
}

/* The sums since the meter's start, where no history is. They begin again with the meter. */
static int read_meter(const struct server *server, const struct asker *asker,
		      struct json_text *text)
{
	static const char *const paths[COUNTERS] = { "in.bytes",      "out.bytes",
						     "in.wire_bytes", "out.wire_bytes",
						     "in.packets",    "out.packets" };
	_cleanup_(json_tree_free) struct json_tree answer = { 0 };
	_cleanup_(table_free) struct table users = { 0 };
	const struct json *user;
	int r = client_ask(server->instance, "users top=5000", METER_TIMEOUT_MS, &answer);

	if (r < 0)
		return r;
	user = json_first(&answer, json_get(&answer, json_root(&answer), "users"));
	for (; user; user = json_next(&answer, user)) {
		int64_t uid = json_int(json_get(&answer, user, "uid"), -1);
		struct series *series;

		if (!asker->everything && uid != asker->uid)
			continue;
		series = add_series(&users);
		if (!series || !(series->label = user_label(uid, NULL)))
			return -ENOMEM;
		for (int i = 0; i < COUNTERS; i++)
			series->sums[i] = json_uint(json_get_path(&answer, user, paths[i]), 0);
	}
	write_table(&users, "user", COUNTERS, text);
	return 0;
}

static int write_status(const struct server *server, struct json_text *text)
{
	_cleanup_(json_tree_free) struct json_tree status = { 0 };
	_cleanup_free_ char *words = NULL;
	size_t size = 0;
	FILE *file;
	int r = client_ask(server->instance, "status", METER_TIMEOUT_MS, &status);

	json_text_printf(text,
			 "# HELP traffic_meter_up 1 when the meter answers.\n"
			 "# TYPE traffic_meter_up gauge\ntraffic_meter_up %d\n",
			 r == 0);
	if (r < 0)
		return r;
	file = open_memstream(&words, &size);
	if (!file)
		return -ENOMEM;
	status_write_metrics(&status, file);
	if (fclose(file) == 0 && words)
		json_text_put(text, words);
	return 0;
}

/* In OpenMetrics a counter is named without its suffix where it is described. */
static void put_open_metrics(struct json_text *to, const char *from)
{
	while (*from) {
		size_t length = strcspn(from, "\n");
		const char *end = memmem(from, length, "_total ", 7);

		if (from[0] == '#' && end) {
			json_text_put_bytes(to, from, (size_t)(end - from));
			json_text_put_bytes(to, end + 6, length - (size_t)(end + 6 - from));
		} else {
			json_text_put_bytes(to, from, length);
		}
		json_text_put(to, "\n");
		from += length + (from[length] == '\n');
	}
	json_text_put(to, "# EOF\n");
}

static bool is_recent(int64_t time_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - time_ns < RECENT_NS;
}

/* The history's part as it was made last, if nothing was written since. */
static int put_cached(struct server *server, struct json_text *text)
{
	struct metrics_cache *cache = &server->metrics;
	const struct asker everything = { .known = true, .everything = true };
	struct json_text made = { 0 };
	int64_t stamp[6];
	int r = database_stamp(server, stamp);

	if (r < 0)
		return r;
	pthread_mutex_lock(&cache->lock);
	if (!cache->text || memcmp(stamp, cache->stamp, sizeof(stamp)) != 0) {
		r = read_history(server, &everything, &made);
		if (r == 0 && !made.failed) {
			free(cache->text);
			cache->text = made.data;
			memcpy(cache->stamp, stamp, sizeof(stamp));
			/* A write in the same tick of the file system's clock would not show. */
			if (is_recent(stamp[2]) || is_recent(stamp[5]))
				cache->stamp[0] = -1;
		} else {
			json_text_free(&made);
		}
	}
	if (r == 0)
		json_text_put(text, cache->text ?: "");
	pthread_mutex_unlock(&cache->lock);
	return r;
}

int metrics_answer(struct server *server, const struct ask *ask, struct reply *reply)
{
	bool open_metrics = strstr(ask->accept, "application/openmetrics-text");
	_cleanup_(json_text_free) struct json_text text = { 0 };
	int r = ask->asker.everything ? put_cached(server, &text)
				      : read_history(server, &ask->asker, &text);

	/* A history that is there and can't be read now has no other numbers in its place, as these would
	 * look like a restart. */
	if (r == -ENOENT || r == -ENODATA)
		r = read_meter(server, &ask->asker, &text);
	if (ask->asker.everything)
		write_status(server, &text);
	if (text.failed)
		return -ENOMEM;
	if (!text.size)
		return reply_error(reply, r == 0 ? 200 : 503,
				   r == 0 ? "# no traffic so far"
					  : "# neither a history nor a meter can be read");
	reply->type = open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
				   : "text/plain; version=0.0.4; charset=utf-8";
	if (open_metrics)
		put_open_metrics(&reply->body, text.data);
	else
		json_text_put_bytes(&reply->body, text.data, text.size);
	return 0;
}
