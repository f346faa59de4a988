/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a spool from a place on, frame by frame, while a meter appends to it and removes its oldest
 * segments. Each reader keeps a place of its own; nothing in the spool is changed or locked.
 */
#ifndef SPOOL_READER_H
#define SPOOL_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool/frame.h"

/* A place between two frames, which lives longer than the reader. */
struct spool_place {
	uint64_t id;		/* of the spool; 0: none yet, begin with the oldest segment */
	uint64_t segment;	/* number */
	uint64_t offset;	/* in it: where the next frame begins */
	uint64_t batch;		/* of the frame before the place; 0: none */
	uint64_t records;	/* of that batch are before the place */
	struct spool_sums sums; /* of all frames before the place since the spool began */
};

struct spool_reader {
	/* set by the caller */
	const char *path;

	struct spool_place place; /* behind the frame that was read last */
	struct spool_sums
		missed;	  /* in frames that went before they were read; the caller's to zero */
	bool other_spool; /* set when the spool is not the one of the place: what the old one held is
			   * unknown; the caller's to clear */

	int inotify_fd, fd;
	uint64_t fd_number;		     /* the segment that .fd is */
	uint64_t known_batch, known_records; /* while a place is looked for again: up to where */
	char *block;
	size_t block_room;
	char error[256]; /* words for a negative result of spool_reader_next() */
};

#define SPOOL_READER_CLOSED ((struct spool_reader){ .inotify_fd = -1, .fd = -1 })

enum spool_from {
	SPOOL_OLDEST,
	SPOOL_NEWEST, /* only what is written from now on */
	SPOOL_TIME,   /* frames written at or after a time */
};

/* Sets the place of a reader that has none. What is left out is not missed. Returns 0 or a negative
 * errno with words; a spool that is not there is no error: all of it is read then. */
int spool_reader_seek(struct spool_reader *reader, enum spool_from from, uint64_t time_ns);

/* The next frame. *ret_block: frame->stored_size bytes, valid until the next call.
 * Returns 1; 0 when there is none yet (no spool, no frame, half a frame); or a negative errno with
 * words in .error: -EPROTONOSUPPORT for a newer version, or the system's. After an error, and after
 * 0, the call may be made again. */
int spool_reader_next(struct spool_reader *reader, struct spool_frame *frame,
		      const void **ret_block);

/* Waits until the spool may have changed, stop_fd is readable, or a second has passed. Returns whether
 * stop_fd is readable. */
bool spool_reader_wait(struct spool_reader *reader, int stop_fd);

/* What there is: segments, their bytes, when the oldest was made, and the sums of all frames so far.
 * Returns 0 or a negative errno. */
struct spool_extent {
	uint64_t segments, bytes, oldest_ns;
	uint64_t id;	       /* of the newest segment's spool */
	struct spool_sums end; /* of all frames up to the spool's end */
};
int spool_measure(const char *path, struct spool_extent *ret);

void spool_reader_close(struct spool_reader *reader);

#endif
