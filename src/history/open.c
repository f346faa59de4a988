// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A reader without write permission can read a database in WAL mode only while its -wal and -shm are
 * there, so they are kept when the writer closes it (SQLITE_FCNTL_PERSIST_WAL).
 */
#ifdef HAVE_SQLITE3

#include "history/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

#define READER_WAIT_MS 5000

/* The writer comes again by itself, and must not keep the meter from stopping. */
#define WRITER_WAIT_MS 250

/* Before SQLite 3.31 a link at the last part of the path is found by the look before. */
#ifndef SQLITE_OPEN_NOFOLLOW
#define SQLITE_OPEN_NOFOLLOW 0
#endif

static void close_database(sqlite3 **database)
{
	sqlite3_close(*database);
}

char *history_default_path(const char *state_directory, const char *instance)
{
	bool plain = !instance || !*instance || strcmp(instance, "default") == 0;
	char *path;

	if (asprintf(&path, "%s/history%s%s.db", state_directory, plain ? "" : "-",
		     plain ? "" : instance) < 0)
		return NULL;
	return path;
}

int history_error(sqlite3 *database, int code)
{
	int system = database ? sqlite3_system_errno(database) : 0;

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return system > 0 ? -system : -ENOENT;
	default:
		return system > 0 ? -system : -EIO;
	}
}

__attribute__((format(printf, 3, 4))) static int refuse(char why[HISTORY_WHY_MAX], int error,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, HISTORY_WHY_MAX, format, arguments);
	va_end(arguments);
	return error;
}

/* "<what>: <words for the error>" */
static int refuse_errno(char why[HISTORY_WHY_MAX], int error, const char *what, const char *path)
{
	char words[128];

	return refuse(why, error, "%s %s: %s", what, path,
		      strerror_r(-error, words, sizeof(words)));
}

static int refuse_code(char why[HISTORY_WHY_MAX], sqlite3 *database, int code, const char *path)
{
	int error = history_error(database, code);

	if (error == -EBUSY)
		return refuse(why, error, "%s is locked by another program", path);
	if (error == -EBADMSG)
		return refuse(why, error, "%s is damaged (%s)", path,
			      database ? sqlite3_errmsg(database) : sqlite3_errstr(code));
	return refuse(why, error, "open %s: %s", path,
		      database ? sqlite3_errmsg(database) : sqlite3_errstr(code));
}

/* Is it a history, of a version that this program can use? */
static int judge_version(sqlite3 *database, const char *path, bool may_be_empty,
			 char why[HISTORY_WHY_MAX])
{
	int version = 0, application = 0, tables = 0;
	int r = schema_read_version(database, &version, &application, &tables);

	if (r != SQLITE_OK)
		return refuse_code(why, database, r, path);
	if (!application && !version && !tables)
		return may_be_empty ? 0
				    : refuse(why, -ENODATA,
					     "%s is empty: no meter has written to it yet", path);
	if (application != HISTORY_APPLICATION_ID)
		return refuse(why, -EMEDIUMTYPE,
			      "%s is a database of another program, no history; name another file",
			      path);
	if (version > HISTORY_VERSION)
		return refuse(why, -EPROTONOSUPPORT,
			      "%s is of version %d, made by a newer traffic-meter; this one knows "
			      "versions up to %d: name another file, or use the newer program",
			      path, version, HISTORY_VERSION);
	if (version < HISTORY_VERSION && !may_be_empty)
		return refuse(why, -EPROTONOSUPPORT,
			      "%s is of version %d, and this program reads version %d: start "
			      "'traffic-meter run' of this version, which brings it up",
			      path, version, HISTORY_VERSION);
	return 0;
}

int history_open_read(const char *path, sqlite3 **ret, char why[HISTORY_WHY_MAX])
{
	_cleanup_(close_database) sqlite3 *database = NULL;
	int r;

	if (access(path, R_OK) && errno == ENOENT)
		return refuse(why, -ENOENT,
			      "there is no history %s: 'traffic-meter run' makes one; name another "
			      "with --from",
			      path);
	if (access(path, R_OK))
		return refuse_errno(why, -errno, "read", path);
	r = sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
	if (r != SQLITE_OK)
		return refuse_code(why, database, r, path);
	sqlite3_extended_result_codes(database, 1);
	sqlite3_busy_timeout(database, READER_WAIT_MS);
	r = judge_version(database, path, false, why);
	if (r < 0)
		return r;
	*ret = steal_pointer(database);
	return 0;
}

int history_read_levels(sqlite3 *database, struct history_level_state ret[HISTORY_LEVELS])
{
	sqlite3_stmt *statement;
	int r, n = 0;

	r = sqlite3_prepare_v2(database,
			       "SELECT closed_until, expired_until, closed_user, keep_s, rows"
			       " FROM level ORDER BY id",
			       -1, &statement, NULL);
	if (r != SQLITE_OK)
		return history_error(database, r);
	while ((r = sqlite3_step(statement)) == SQLITE_ROW && n < HISTORY_LEVELS) {
		ret[n++] = (struct history_level_state){
			.closed_until = sqlite3_column_int64(statement, 0),
			.expired_until = sqlite3_column_int64(statement, 1),
			.closed_user = sqlite3_column_int64(statement, 2),
			.keep_s = sqlite3_column_int64(statement, 3),
			.rows = sqlite3_column_int64(statement, 4),
		};
	}
	sqlite3_finalize(statement);
	if (r != SQLITE_DONE)
		return history_error(database, r) ?: -EBADMSG;
	return n == HISTORY_LEVELS ? 0 : -EBADMSG;
}

static int make_file(const struct history_file *file, char why[HISTORY_WHY_MAX])
{
	_cleanup_close_ int fd =
		open(file->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return refuse_errno(why, -errno, "make", file->path);
	if (file->group != (gid_t)-1 && fchown(fd, (uid_t)-1, file->group))
		return refuse_errno(why, -errno, "give to its group", file->path);
	if (fchmod(fd, file->mode))
		return refuse_errno(why, -errno, "set the mode of", file->path);
	return 0;
}

/* SQLite opens by name, so this is looked at before. */
static int judge_file(const struct history_file *file, char why[HISTORY_WHY_MAX])
{
	struct stat status;

	if (lstat(file->path, &status))
		return errno == ENOENT ? make_file(file, why)
				       : refuse_errno(why, -errno, "look at", file->path);
	if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
		return refuse(
			why, -EPERM,
			"%s is no regular file with one name, and is not written to; remove it, or "
			"name another file",
			file->path);
	if (status.st_uid != geteuid())
		return refuse(
			why, -EPERM,
			"%s belongs to uid %u and not to the meter (uid %u), and is not written "
			"to; chown it, or name another file",
			file->path, status.st_uid, geteuid());
	if (access(file->path, W_OK))
		return refuse_errno(why, -errno, "write", file->path);
	return 0;
}

/* FULL: a commit that the meter hears of is on the disk, which is one fsync() an interval. The cache is
 * small, as rows come sorted. */
static int set_up(sqlite3 *database)
{
	int persist = 1;

	sqlite3_extended_result_codes(database, 1);
	sqlite3_busy_timeout(database, WRITER_WAIT_MS);
	sqlite3_file_control(database, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
	return sqlite3_exec(database,
			    "PRAGMA cache_size = -2048; PRAGMA temp_store = MEMORY;"
			    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			    "PRAGMA journal_size_limit = 16777216; PRAGMA foreign_keys = OFF",
			    NULL, NULL, NULL);
}

int history_open_write(const struct history_file *file, sqlite3 **ret, char why[HISTORY_WHY_MAX])
{
	_cleanup_(close_database) sqlite3 *database = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	int r, from = 0;

	r = judge_file(file, why);
	if (r < 0)
		return r;
	/* SQLITE_OPEN_NOFOLLOW refuses a link anywhere in the path; the way there is the administrator's. */
	{
		_cleanup_free_ char *real = realpath(file->path, NULL);

		if (!real)
			return refuse_errno(why, -errno, "find", file->path);
		r = sqlite3_open_v2(real, &database, flags, NULL);
	}
	if (r != SQLITE_OK)
		return refuse_code(why, database, r, file->path);
	r = judge_version(database, file->path, true, why);
	if (r < 0)
		return r;
	r = set_up(database);
	if (r == SQLITE_OK)
		r = schema_migrate(database, &from);
	if (r != SQLITE_OK)
		return refuse_code(why, database, r, file->path);
	*ret = steal_pointer(database);
	return 0;
}

int history_check(sqlite3 *database, const char *path, char why[HISTORY_WHY_MAX])
{
	sqlite3_stmt *statement;
	int r = sqlite3_prepare_v2(database, "PRAGMA quick_check(1)", -1, &statement, NULL);

	if (r != SQLITE_OK)
		return refuse_code(why, database, r, path);
	r = sqlite3_step(statement);
	if (r != SQLITE_ROW)
		r = refuse_code(why, database, r, path);
	else if (strcmp((const char *)sqlite3_column_text(statement, 0) ?: "", "ok") == 0)
		r = 0;
	else
		r = refuse(why, -EBADMSG, "%s is damaged (%s)", path,
			   (const char *)sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	for (char *c = why; r < 0 && *c; c++)
		if (*c == '\n')
			*c = ' ';
	return r;
}

int history_set_aside(const char *path, char ret_name[HISTORY_WHY_MAX])
{
	_cleanup_free_ char *from = NULL, *to = NULL;
	time_t now = time(NULL);
	struct tm utc;
	char when[32];

	gmtime_r(&now, &utc);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &utc);
	snprintf(ret_name, HISTORY_WHY_MAX, "%s.damaged-%s", path, when);
	for (int i = 2; access(ret_name, F_OK) == 0; i++)
		snprintf(ret_name, HISTORY_WHY_MAX, "%s.damaged-%s-%d", path, when, i);
	/* The -wal goes along, as pages of the database may be in it; the -shm is made anew. The database
	 * is moved last: until then the next meter finds it where it was. */
	if (asprintf(&from, "%s-wal", path) < 0)
		return -ENOMEM;
	if (asprintf(&to, "%s-wal", ret_name) < 0)
		return -ENOMEM;
	if (rename(from, to) && errno != ENOENT)
		return -errno;
	snprintf(from + strlen(path), sizeof("-wal"), "-shm");
	if (unlink(from) && errno != ENOENT)
		return -errno;
	return rename(path, ret_name) ? -errno : 0;
}

#endif
