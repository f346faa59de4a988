/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of a spool: which segments there are, the one that frames are appended to, the bound,
 * and how far the meter before this one came. Knows nothing of what a frame holds.
 */
#ifndef OUTPUT_SPOOL_STORE_H
#define OUTPUT_SPOOL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output/append_file.h"
#include "spool/frame.h"

struct traffic_output;

struct spool_store_segment {
	uint64_t number;
	uint64_t size; /* bytes */
};

struct spool_store {
	/* set by the caller before spool_store_open() */
	const char *path;
	uint64_t size_bytes; /* bound of all segments together */
	uint64_t sync_ns;    /* how long what was appended may wait for the disk */
	struct append_policy policy;

	int directory_fd;	 /* also the lock: one writer a directory; -1: not open */
	uint64_t device, inode;	 /* of the directory */
	struct append_file file; /* of the last segment */
	struct spool_store_segment *segments; /* in order; the last one is being written */
	size_t n_segments, room;
	uint64_t total_bytes; /* of all segments */
	uint64_t id;
	struct spool_sums sums; /* of all frames since the spool began */
	uint64_t synced_ns;	/* CLOCK_MONOTONIC: when all was on the disk last */
	bool is_dirty;

	/* How far the frames go: the last one's batch, and how many of its records are there. */
	uint64_t batch, records;
	uint64_t removed_segments; /* that went for the bound, since the opening */
};

/* Opens the directory, making it if its parent is there, finds the end of the last segment and cuts
 * off a torn frame. Errors are told to `output`. */
int spool_store_open(struct spool_store *store, struct traffic_output *output);

/* Appends a frame: its header and block in one piece. Makes room by the bound, and on a full disk by
 * removing the oldest segments. Returns 0, or an error told to `output`: nothing is appended then. */
int spool_store_append(struct spool_store *store, struct traffic_output *output, const char *piece,
		       size_t n, const struct spool_frame *frame);

/* Writes to the disk what waits for it longer than sync_ns, or all if `now`. Errors as above. */
int spool_store_sync(struct spool_store *store, struct traffic_output *output, bool now);

void spool_store_close(struct spool_store *store);

#endif
