/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sets of maps that meters before this one have left pinned: the one that was in use when the last
 * of them ended, and others where one was killed before it had read them. Read from the oldest on, and
 * removed when nothing is left in them.
 */
#ifndef CAPTURE_OLD_SETS_H
#define CAPTURE_OLD_SETS_H

#include "capture/journal.h"
#include "capture/pins.h"
#include "capture/set.h"
#include "capture/span.h"

struct old_sets {
	const struct pins *pins; /* the caller's */
	struct journal *journal; /* likewise */
	struct set *sets;	 /* the oldest first */
	size_t n;
	uint64_t next;		    /* number of the next set */
	int failed;		    /* the error by which one could not be opened, or 0 */
	struct journal_sum adopted; /* what was in them */
};

/* Open them all. Returns the number of the next set. */
uint64_t old_sets_open(struct old_sets *old, const struct pins *pins, struct journal *journal);
void old_sets_close(struct old_sets *old);

/* No program is attached any more that counts in them: wait for those that run, take out what was
 * committed, and add up what is left. An error is logged. */
int old_sets_adopt(struct old_sets *old);

/* Begin the span that a killed meter has begun, or else the next one. 1; 0: nothing is left, and they are
 * removed; or an error. */
int old_sets_begin(struct old_sets *old, struct span *span);

#endif
