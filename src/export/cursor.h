/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far an output has come with a spool, in a file: STATE-DIR/NAME.cursor. Written before each batch
 * ("being sent") and after it, so a process that is killed at any moment knows at its next start which
 * batch may be at the peer already.
 *
 * The file has two slots of text, written in turn, each with its checksum: a torn one leaves the other.
 */
#ifndef EXPORT_CURSOR_H
#define EXPORT_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "spool/reader.h"

struct export_cursor {
	struct spool_place place;
	bool is_sending; /* the frame behind the place */
	struct spool_sums delivered, missed, repeated;
	char spec[256];	 /* kind:target */
	char error[256]; /* that lasts; empty: all is well */

	/* cursor.c's own */
	int fd;
	uint64_t sequence;
	uint64_t synced_s; /* CLOCK_MONOTONIC */
};

/* Opens NAME.cursor in the directory, makes it if it is not there, and locks it.
 * Returns 1 when it had a place, 0 when it is new, -EBUSY when another process has it, -EBADMSG when
 * there is something but no good slot, or the system's error. */
int export_cursor_open(struct export_cursor *cursor, const char *directory, const char *name);

/* Reads a file for status; nothing is locked or changed. Returns as above. */
int export_cursor_read(struct export_cursor *cursor, const char *path);

/* Returns 0 or a negative errno. To the disk it goes every few seconds, or when `now`. */
int export_cursor_write(struct export_cursor *cursor, bool now);

void export_cursor_close(struct export_cursor *cursor);

#endif
