// SPDX-License-Identifier: GPL-2.0-or-later
#include "serve/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "history/history.h"

/* So long an answer may take: a query ends at the first look behind it. */
#define QUERY_S 5
#define STEPS	10000
#define BUSY_MS 500

/* One query at a time runs on a thread. */
static _Thread_local time_t deadline_s;

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static int is_late(void *userdata)
{
	(void)userdata;
	return now_s() > deadline_s;
}

int database_open(const struct server *server, sqlite3 **ret, char why[512])
{
	char words[HISTORY_WHY_MAX] = "";
	int r = history_open_read(server->history, ret, words);

	if (r == -ENOENT || r == -ENODATA) {
		snprintf(why, 512,
			 "there is no history %s yet: 'traffic-meter run --output history:FILE' "
			 "makes one",
			 server->history);
		return r;
	}
	if (r < 0) {
		snprintf(why, 512, "%s", words);
		return r;
	}
	deadline_s = now_s() + QUERY_S;
	sqlite3_busy_timeout(*ret, BUSY_MS);
	sqlite3_progress_handler(*ret, STEPS, is_late, NULL);
	return 0;
}

void database_close(sqlite3 **database)
{
	sqlite3_close(*database);
	*database = NULL;
}

int database_fail(sqlite3 *database, int code, struct reply *reply)
{
	switch (code & 0xff) {
	case SQLITE_INTERRUPT:
		return reply_error(
			reply, 503,
			"the answer takes too long: ask for a shorter period or by less");
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return reply_error(reply, 503, "the history is locked; try again");
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return reply_error(reply, 503, "the history can't be read: %s",
				   sqlite3_errmsg(database));
	}
}

int database_stamp(const struct server *server, int64_t ret[6])
{
	char path[4096];
	struct stat status;

	memset(ret, 0, 6 * sizeof(ret[0]));
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s%s", server->history, i ? "-wal" : "");
		if (stat(path, &status)) {
			if (i == 0)
				return -errno;
			continue;
		}
		ret[3 * i] = (int64_t)status.st_ino;
		ret[3 * i + 1] = status.st_size;
		ret[3 * i + 2] =
			(int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
	}
	return 0;
}
