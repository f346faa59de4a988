/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A history: an SQLite database of who moved how many bytes. This is how it is opened, by the one
 * meter that writes it and by whoever asks it. schema.h says what is in it, levels.h which rows
 * cover a period.
 *
 * Errors are negative errno values, and `why` is one line for the administrator, with the path.
 */
#ifndef HISTORY_HISTORY_H
#define HISTORY_HISTORY_H

#include <stdint.h>
#include <sys/types.h>

#include <sqlite3.h>

#include "history/levels.h"
#include "history/schema.h"

#define HISTORY_WHY_MAX 512

/* Where the meter of an instance keeps its history: STATE_DIR/history.db for the instance `default`,
 * else STATE_DIR/history-INSTANCE.db. Allocated, the caller's; NULL: no memory. */
char *history_default_path(const char *state_directory, const char *instance);

/* Open to read; never makes or changes a file, and never blocks the writer. It takes read permission
 * for the database, its -wal and its -shm. *ret is the caller's, for sqlite3_close().
 * Errors: -ENOENT no such file; -ENODATA empty, no meter has written to it; -EMEDIUMTYPE no history;
 * -EPROTONOSUPPORT of another version; -EBADMSG damaged; -EBUSY locked for 5 s; others: the system's. */
int history_open_read(const char *path, sqlite3 **ret, char why[HISTORY_WHY_MAX]);

/* Read the table `level`. 0 or an error, as SQLite's code tells it: history_error(). */
int history_read_levels(sqlite3 *database, struct history_level_state ret[HISTORY_LEVELS]);

/* Of a file that is made anew. */
struct history_file {
	const char *path;
	mode_t mode;
	gid_t group; /* (gid_t)-1: as the system has it */
};

/* Open to write, or make it; an older version is brought up to ours. Whatever stands at the path must
 * be a regular file of ours with one name.
 * Errors as above; -EPERM: something else stands there; -EROFS, -EACCES: it can't be written. */
int history_open_write(const struct history_file *file, sqlite3 **ret, char why[HISTORY_WHY_MAX]);

/* Read all of it: -EBADMSG when it is damaged, and `why` tells where. Takes seconds for a large one. */
int history_check(sqlite3 *database, const char *path, char why[HISTORY_WHY_MAX]);

/* Move a damaged database, which nobody of ours has open, with its -wal out of the way. `ret_name`:
 * its new path. 0 or an error of the system's. */
int history_set_aside(const char *path, char ret_name[HISTORY_WHY_MAX]);

/* What SQLite's code (also an extended one) means, as a negative errno. 0 for SQLITE_OK. */
int history_error(sqlite3 *database, int code);

#endif
