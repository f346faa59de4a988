// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The transactions of a history, and what is done about those that fail. What is pending stays so until
 * its transaction is committed; after one that was not, what is remembered of the database is read again.
 */
#ifdef HAVE_SQLITE3

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "history/store_inside.h"
#include "util/cleanup.h"
#include "util/log.h"

/* How often a commit waits for the disk: what a power loss may cost. */
#define SYNC_NS INT64_C(5000000000)

/* How often it is noted that the meter runs, when nothing comes. */
#define IDLE_S 60

/* Texts that are remembered, of remotes most of all: 2 MB. */
#define TEXTS_MAX 16384

/* A clock that is further ahead than the time that went by has been set, or stood while the meter was
 * off. For a day nothing expires by it, as who set it may set it back. */
#define JUMP_S	    3600
#define DISTRUST_NS INT64_C(86400000000000)

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void close_store(struct store *store)
{
	statements_finish(&store->statements);
	sqlite3_close(store->database);
	store->database = NULL;
	/* Only now: closing any descriptor of a file drops the locks that SQLite has on it. */
	close_fd(&store->lock_fd);
	store->lock_fd = -1;
	texts_forget_ids(&store->texts);
}

/* Two meters that write to one file would each take the other's batches for its own. */
static int lock(struct store *store, char why[STORE_WHY_MAX])
{
	int r = 0;

	store->lock_fd = open(store->settings.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (store->lock_fd < 0 || flock(store->lock_fd, LOCK_EX | LOCK_NB))
		r = -errno;
	if (r == -EWOULDBLOCK) {
		snprintf(why, STORE_WHY_MAX,
			 "another meter writes to %s; give each a file of its own",
			 store->settings.path);
		return -EALREADY;
	}
	if (r < 0)
		snprintf(why, STORE_WHY_MAX, "lock %s: %s", store->settings.path, strerror(-r));
	return r;
}

static int read_progress(struct store *store)
{
	sqlite3_stmt *statement;
	int r = statements_other(&store->statements, READ_PROGRESS, NULL, 0, &statement);

	if (r != SQLITE_OK)
		return r;
	r = sqlite3_step(statement);
	/* A new database, in the place of a damaged one, knows less than we. */
	if (r == SQLITE_ROW && (uint64_t)sqlite3_column_int64(statement, 0) > store->batch) {
		store->batch = (uint64_t)sqlite3_column_int64(statement, 0);
		store->records = (uint64_t)sqlite3_column_int64(statement, 1);
	} else if (r == SQLITE_ROW &&
		   (uint64_t)sqlite3_column_int64(statement, 0) == store->batch) {
		store->records = (uint64_t)sqlite3_column_int64(statement, 1);
	}
	sqlite3_reset(statement);
	if (r != SQLITE_ROW)
		return r == SQLITE_DONE ? SQLITE_CORRUPT : r;
	r = statements_other(&store->statements, LAST_COVERAGE, NULL, 0, &statement);
	if (r != SQLITE_OK || store->coverage_id)
		return r;
	r = sqlite3_step(statement);
	if (r == SQLITE_ROW) {
		store->seen_s = sqlite3_column_int64(statement, 1);
		store->unchecked = !sqlite3_column_int(statement, 2);
	}
	sqlite3_reset(statement);
	return r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
}

static int open_database(struct store *store, char why[STORE_WHY_MAX])
{
	const struct history_file file = {
		.path = store->settings.path,
		.mode = store->settings.mode,
		.group = store->settings.group,
	};
	int r;

	if (store->database)
		return 0;
	r = history_open_write(&file, &store->database, why);
	if (r == 0) {
		store->statements.database = store->database;
		r = lock(store, why);
	}
	if (r == 0) {
		int code = read_progress(store);

		r = code == SQLITE_OK ? history_read_levels(store->database, store->levels)
				      : history_error(store->database, code);
		if (r < 0)
			snprintf(why, STORE_WHY_MAX, "read %s: %s", store->settings.path,
				 sqlite3_errmsg(store->database));
	}
	if (r < 0)
		close_store(store);
	return r;
}

/* What is pending is written to the new one. */
static int set_aside(struct store *store, char why[STORE_WHY_MAX])
{
	char name[HISTORY_WHY_MAX];
	int r;

	close_store(store);
	store->coverage_id = 0;
	store->unchecked = false;
	r = history_set_aside(store->settings.path, name);
	if (r < 0) {
		snprintf(why, STORE_WHY_MAX, "move the damaged %s away: %s", store->settings.path,
			 strerror(-r));
		return r;
	}
	log_warning("%s; it is now %s, and a new one is begun; 'sqlite3 %s .recover' gets back "
		    "what can be read",
		    why, name, name);
	r = open_database(store, why);
	store->unchecked = false;
	return r;
}

static int open_or_set_aside(struct store *store, char why[STORE_WHY_MAX])
{
	int r = open_database(store, why);

	return r == -EBADMSG ? set_aside(store, why) : r;
}

/* After a crash, and by the output's own thread: it takes a second for some hundred megabytes. */
static int check(struct store *store, char why[STORE_WHY_MAX])
{
	int r;

	if (!store->unchecked)
		return 0;
	log_notice("%s: its last writer was stopped in the middle; it is checked",
		   store->settings.path);
	r = history_check(store->database, store->settings.path, why);
	if (r == 0)
		store->unchecked = false;
	return r == -EBADMSG ? set_aside(store, why) : r;
}

static int ready(struct store *store, char why[STORE_WHY_MAX])
{
	int r = open_or_set_aside(store, why);

	return r < 0 ? r : check(store, why);
}

int history_store_new(struct store **ret, const struct store_settings *settings,
		      char why[STORE_WHY_MAX])
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store) {
		snprintf(why, STORE_WHY_MAX, "no memory");
		return -ENOMEM;
	}
	store->settings = *settings;
	store->lock_fd = -1;
	store->started_s = (int64_t)time(NULL);
	r = open_or_set_aside(store, why);
	if (r == 0 || r == -EBUSY || r == -ENOSPC)
		*ret = store;
	else
		history_store_free(store, false, 0);
	return r;
}

void history_store_progress(const struct store *store, uint64_t *ret_batch, uint64_t *ret_records)
{
	*ret_batch = store->batch;
	*ret_records = store->records;
}

size_t history_store_pending(const struct store *store)
{
	return store->pending.n;
}

static int add_text(struct store *store, const char *text, uint32_t *ret)
{
	return texts_add(&store->texts, text, strlen(text), ret);
}

int history_store_add(struct store *store, const struct store_row *row)
{
	struct pending_key key = {
		.time = history_bucket_start(HISTORY_5MIN, row->time_s),
		.user = row->user,
		.service = row->service,
	};
	struct origin origin = { .login = row->login };

	if (add_text(store, row->remote, &key.remote) < 0 ||
	    add_text(store, row->network, &origin.network) < 0 ||
	    add_text(store, row->interface, &origin.interface) < 0 ||
	    add_text(store, row->program, &origin.program) < 0 ||
	    add_text(store, row->workload, &origin.workload) < 0 ||
	    texts_add_origin(&store->texts, &origin, &key.origin) < 0)
		return -ENOMEM;
	return pending_add(&store->pending, &key, &row->amounts);
}

static int write_coverage(struct store *store, int64_t now_s, bool ended_well)
{
	int r;

	if (!store->coverage_id) {
		r = statements_run_other(
			&store->statements, ADD_COVERAGE,
			(int64_t[]){ store->started_s < now_s ? store->started_s : now_s, now_s },
			2);
		if (r != SQLITE_OK)
			return r;
		store->coverage_id = sqlite3_last_insert_rowid(store->database);
		return SQLITE_OK;
	}
	return statements_run_other(&store->statements, WRITE_COVERAGE,
				    (int64_t[]){ now_s, ended_well, store->coverage_id }, 3);
}

static int write_limits(struct store *store)
{
	int r = SQLITE_OK;

	for (int level = 0; level < HISTORY_LEVELS && r == SQLITE_OK; level++) {
		struct history_level_state *state = &store->levels[level];
		int64_t keep_s = store->settings.keep_s[level], rows = store->settings.rows[level];

		if (state->keep_s == keep_s && state->rows == rows)
			continue;
		r = statements_run_other(&store->statements, WRITE_LIMITS,
					 (int64_t[]){ keep_s, rows, level }, 3);
		state->keep_s = keep_s;
		state->rows = rows;
	}
	return r;
}

static int begin(struct store *store)
{
	int64_t now_ns = monotonic_ns();
	bool sync = now_ns - store->synced_ns >= SYNC_NS || !store->synced_ns;

	if (sync)
		store->synced_ns = now_ns;
	sqlite3_exec(store->database,
		     sync ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", NULL, NULL,
		     NULL);
	return statements_run_other(&store->statements, BEGIN, NULL, 0);
}

/* A transaction that came to nothing. */
static int fail(struct store *store, int code, const char *what, int64_t coverage_id,
		char why[STORE_WHY_MAX])
{
	int r = history_error(store->database, code);

	if (r == -EBUSY)
		snprintf(why, STORE_WHY_MAX, "%s is locked by another program",
			 store->settings.path);
	else if (r == -EBADMSG)
		snprintf(why, STORE_WHY_MAX, "%s is damaged (%s)", store->settings.path,
			 sqlite3_errmsg(store->database));
	else
		snprintf(why, STORE_WHY_MAX, "%s %s: %s", what, store->settings.path,
			 sqlite3_errmsg(store->database));
	if (!sqlite3_get_autocommit(store->database))
		statements_run_other(&store->statements, ROLLBACK, NULL, 0);
	texts_forget_ids(&store->texts);
	store->coverage_id = coverage_id;
	if (r == -EBADMSG)
		return set_aside(store, why) ?: -EAGAIN;
	/* What is remembered of the database was changed on the way; it is read again. */
	if (r != -EBUSY)
		close_store(store);
	else
		history_read_levels(store->database, store->levels);
	return r;
}

static int write_all(struct store *store, uint64_t batch, uint64_t records, int64_t now_s)
{
	int r;

	if ((r = begin(store)) != SQLITE_OK || (r = write_limits(store)) != SQLITE_OK ||
	    (r = history_store_write_rows(store, now_s)) != SQLITE_OK ||
	    (r = statements_run_other(&store->statements, WRITE_PROGRESS,
				      (int64_t[]){ (int64_t)batch, (int64_t)records }, 2)) !=
		    SQLITE_OK ||
	    (r = write_coverage(store, now_s, false)) != SQLITE_OK)
		return r;
	return statements_run_other(&store->statements, COMMIT, NULL, 0);
}

int history_store_write(struct store *store, uint64_t batch, uint64_t records, int64_t now_s,
			char why[STORE_WHY_MAX])
{
	int64_t coverage_id;
	int code, r;

	if (!store->pending.n && store->coverage_id && now_s < store->coverage_end + IDLE_S &&
	    now_s >= store->coverage_end)
		return 0;
	/* A database that is found damaged is written anew, once. */
	for (int i = 0; i < 2; i++) {
		r = ready(store, why);
		if (r < 0)
			return r;
		coverage_id = store->coverage_id;
		code = write_all(store, batch, records, now_s);
		r = code == SQLITE_OK ? 0 : fail(store, code, "write", coverage_id, why);
		if (r != -EAGAIN)
			break;
	}
	if (r < 0)
		return r;
	store->batch = batch;
	store->records = records;
	store->coverage_end = now_s;
	pending_clear(&store->pending);
	if (store->texts.n_texts > TEXTS_MAX || store->texts.n_origins > TEXTS_MAX)
		texts_free(&store->texts);
	return 0;
}

/* May rows be removed by this clock? */
static bool is_trusted(struct store *store, int64_t now_s)
{
	int64_t now_ns = monotonic_ns();
	int64_t gone_s = store->seen_ns ? (now_ns - store->seen_ns) / 1000000000 : 0;

	if (store->seen_s && now_s > store->seen_s + gone_s + JUMP_S)
		store->no_expiry_until_ns = now_ns + DISTRUST_NS;
	store->seen_s = now_s;
	store->seen_ns = now_ns;
	return now_ns >= store->no_expiry_until_ns;
}

/* Steps until the time is over. */
static int step_all(struct store *store, int64_t now_s, int64_t until_ns, bool expire,
		    bool *ret_more)
{
	int r;

	do {
		r = history_store_close_step(store, now_s, ret_more);
		if (r == SQLITE_OK && !*ret_more && expire)
			r = history_store_expire_step(store, now_s, ret_more);
	} while (r == SQLITE_OK && *ret_more && monotonic_ns() < until_ns);
	return r == SQLITE_OK ? statements_run_other(&store->statements, COMMIT, NULL, 0) : r;
}

int history_store_maintain(struct store *store, int64_t now_s, uint64_t budget_ns,
			   char why[STORE_WHY_MAX])
{
	int64_t until_ns = monotonic_ns() + (int64_t)budget_ns;
	bool more = false, expire;
	int code, r;

	r = ready(store, why);
	if (r < 0)
		return r;
	expire = is_trusted(store, now_s);
	code = begin(store);
	if (code == SQLITE_OK)
		code = step_all(store, now_s, until_ns, expire, &more);
	if (code != SQLITE_OK)
		return fail(store, code, "close buckets in", store->coverage_id, why);
	return more;
}

void history_store_free(struct store *store, bool ended_well, int64_t now_s)
{
	if (!store)
		return;
	if (store->database && store->coverage_id)
		write_coverage(store, now_s, ended_well);
	close_store(store);
	texts_free(&store->texts);
	pending_free(&store->pending);
	free(store->crowds);
	free(store);
}

#endif
