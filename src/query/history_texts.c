// SPDX-License-Identifier: GPL-2.0-or-later
#ifdef HAVE_SQLITE3

#include "query/history_texts.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "history/history.h"
#include "util/cleanup.h"

/* More than any history has; a larger one is damage. */
#define ORIGINS_MAX (1 << 26)

static const struct {
	size_t offset;
	const char *sql;
} queries[] = {
	{ offsetof(struct history_texts, origin),
	  "SELECT login, network, interface, program, workload FROM origin WHERE id = ?1" },
	{ offsetof(struct history_texts, text), "SELECT text FROM text WHERE id = ?1" },
	{ offsetof(struct history_texts, user), "SELECT name FROM user WHERE uid = ?1" },
	{ offsetof(struct history_texts, protocol), "SELECT name FROM protocol WHERE number = ?1" },
};

#define N_QUERIES (sizeof(queries) / sizeof(queries[0]))

static sqlite3_stmt **statement_of(struct history_texts *texts, size_t i)
{
	return (sqlite3_stmt **)((char *)texts + queries[i].offset);
}

int history_texts_open(struct history_texts *texts, sqlite3 *database)
{
	*texts = (struct history_texts){ .database = database };
	for (size_t i = 0; i < N_QUERIES; i++) {
		int r = sqlite3_prepare_v2(database, queries[i].sql, -1, statement_of(texts, i),
					   NULL);

		if (r != SQLITE_OK)
			return history_error(database, r);
	}
	return 0;
}

void history_texts_close(struct history_texts *texts)
{
	for (size_t i = 0; i < N_QUERIES; i++)
		sqlite3_finalize(*statement_of(texts, i));
	free(texts->origins);
	*texts = (struct history_texts){ 0 };
}

/* 1 with a row, 0 without, or an error; sqlite3_reset() is the caller's. */
static int step(struct history_texts *texts, sqlite3_stmt *statement, int64_t id)
{
	int r;

	sqlite3_bind_int64(statement, 1, id);
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : history_error(texts->database, r);
}

static int make_room(struct history_texts *texts, size_t id)
{
	size_t n = texts->n_origins ? texts->n_origins : 256;
	struct history_origin *origins;

	while (n <= id)
		n *= 2;
	if (n == texts->n_origins)
		return 0;
	origins = reallocarray(texts->origins, n, sizeof(*origins));
	if (!origins)
		return -ENOMEM;
	memset(origins + texts->n_origins, 0, (n - texts->n_origins) * sizeof(*origins));
	texts->origins = origins;
	texts->n_origins = n;
	return 0;
}

static int read_origin(struct history_texts *texts, int64_t id, struct history_origin *origin)
{
	sqlite3_stmt *row = texts->origin;
	int r = step(texts, row, id);

	*origin = (struct history_origin){ .login = HISTORY_NO_USER, .known = true };
	if (r > 0) {
		origin->login = sqlite3_column_int64(row, 0);
		origin->network = sqlite3_column_int64(row, 1);
		origin->interface = sqlite3_column_int64(row, 2);
		origin->program = sqlite3_column_int64(row, 3);
		origin->workload = sqlite3_column_int64(row, 4);
	}
	sqlite3_reset(row);
	return r < 0 ? r : 0;
}

int history_texts_origin(struct history_texts *texts, int64_t id, struct history_origin **ret,
			 bool *ret_new)
{
	int r;

	if (id < 0 || id > ORIGINS_MAX)
		return -EBADMSG;
	r = make_room(texts, (size_t)id);
	if (r < 0)
		return r;
	*ret = &texts->origins[id];
	*ret_new = !(*ret)->known;
	return *ret_new ? read_origin(texts, id, *ret) : 0;
}

/* The text in the row of this id, allocated; NULL: there is none. */
static int read_text(struct history_texts *texts, sqlite3_stmt *statement, int64_t id, char **ret)
{
	int r = step(texts, statement, id);

	if (r > 0) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		*ret = text ? strdup(text) : NULL;
		r = text && !*ret ? -ENOMEM : 0;
	} else {
		*ret = NULL;
	}
	sqlite3_reset(statement);
	return r;
}

/* The history's own name first: it knows users who are gone, and asks no directory server. */
static int read_user(struct history_texts *texts, int64_t uid, char **ret)
{
	const struct passwd *entry;
	int r = read_text(texts, texts->user, uid, ret);

	if (r < 0 || (*ret && **ret))
		return r;
	free(*ret);
	*ret = NULL;
	entry = getpwuid((uid_t)uid); /* NOLINT(concurrency-mt-unsafe): one thread asks */
	if (!entry)
		return 0;
	*ret = strdup(entry->pw_name);
	return *ret ? 0 : -ENOMEM;
}

/* tcp/443; a protocol without ports by its name alone. */
static int read_service(struct history_texts *texts, int64_t service, char **ret)
{
	_cleanup_free_ char *protocol = NULL;
	int64_t port = service % 65536;
	char number[24];
	int r = read_text(texts, texts->protocol, service / 65536, &protocol);

	if (r < 0)
		return r;
	snprintf(number, sizeof(number), "%" PRId64, service / 65536);
	r = port ? asprintf(ret, "%s/%" PRId64, protocol ?: number, port)
		 : asprintf(ret, "%s", protocol ?: number);
	if (r >= 0)
		return 0;
	*ret = NULL;
	return -ENOMEM;
}

int history_texts_name(struct history_texts *texts, enum query_key key, int64_t id, char **ret)
{
	*ret = NULL;
	switch (key) {
	case QUERY_USER:
	case QUERY_LOGIN:
		return read_user(texts, id, ret);
	case QUERY_SERVICE:
		return read_service(texts, id, ret);
	case QUERY_DIRECTION:
		*ret = strdup(id ? "out" : "in");
		return *ret ? 0 : -ENOMEM;
	case QUERY_NETWORK:
	case QUERY_REMOTE:
	case QUERY_INTERFACE:
	case QUERY_PROGRAM:
	case QUERY_WORKLOAD:
		return read_text(texts, texts->text, id, ret);
	default:
		return 0;
	}
}

#endif
