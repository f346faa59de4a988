/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading a span of a set's records (journal.h), and taking it out of the kernel when it is safe. */
#ifndef CAPTURE_SPAN_H
#define CAPTURE_SPAN_H

#include <stdbool.h>

#include <traffic_meter/record.h>

#include "capture/journal.h"
#include "capture/set.h"

struct span {
	struct set *set; /* NULL: none is under way */
	enum journal_kind kind;
	int recent, flows, users; /* of the tables which one, or JOURNAL_NONE */
	bool repeated;
	struct journal_sum read; /* so far */
	struct traffic_record totals[METER_DIRECTIONS];
	unsigned int n_totals;
	uint64_t ring_begin;
};

/* Begin one of the ring, or of the tables that are named, which no program writes; and of what step 4 has
 * counted since. 1; 0: there is nothing in it; or an error of bpf(2). */
int span_begin_ring(struct span *span, struct set *set, struct journal *journal);
int span_begin_tables(struct span *span, struct set *set, int recent, int flows, int users,
		      struct journal *journal);

/* Begin the journal's unfinished one again. */
int span_begin_again(struct span *span, struct set *set, const struct journal *journal);

/* The next record: 1, 0 at the end, or an error. Times are CLOCK_MONOTONIC. */
int span_next(struct span *span, struct traffic_record *ret);

/* All outputs have what was read: commit it and take it out of the kernel. 0 or an error of bpf(2). */
int span_commit(struct span *span, struct journal *journal);

/* Take one out of the kernel that was committed before a meter was killed. */
int span_clear(struct set *set, struct journal *journal);

#endif
