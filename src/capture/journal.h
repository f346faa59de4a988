/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the meter has come, in memory that outlives it where it is pinned: which span of records was
 * handed to the outputs last, and what of the kernel's maps the next one is made of. Whoever comes after
 * a killed meter makes that span again, the same records in the same order, and goes on from there.
 *
 * A span is a part of the ring, or what one retirement of the tables holds. It is begun (journal_begin),
 * read, and committed (journal_commit) when all outputs have it; only then its records are taken out of
 * the kernel, which, if need be, is done again.
 *
 * Memory that a process writes is read by the next one as it was when that process ended, store by
 * store: so what has to be whole is written before the one word that says so.
 */
#ifndef CAPTURE_JOURNAL_H
#define CAPTURE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared.h"
#include "capture/kept.h"
#include "capture/pins.h"

/* Of all that is pinned: the maps' keys and values, the ring's records, this file's structs. What is
 * of a former layout is read as the beginning of ours, so structs grow at the end only. */
#ifdef TEST_LAYOUT
#define JOURNAL_LAYOUT (2 + TEST_LAYOUT)
#else
#define JOURNAL_LAYOUT 2
#endif

#define JOURNAL_SETS_MAX 16

enum journal_kind {
	JOURNAL_RING,
	JOURNAL_TABLES,
};

struct journal_sum {
	uint64_t packets[METER_DIRECTIONS];
	uint64_t bytes[METER_DIRECTIONS];
};

/* What was taken out of a set of maps so far. */
struct journal_set {
	uint64_t generation; /* the set's number; 0: the entry is free */
	struct journal_sum taken;
	struct journal_sum totals; /* of these, by step 4 */
	uint64_t totals_extra_bytes[METER_DIRECTIONS];
	uint64_t totals_extra_packets[METER_DIRECTIONS]; /* from layout 2 on */
	uint64_t reserved[3];
};

#define JOURNAL_NONE (-1)

struct journal_span {
	uint64_t number; /* 0: none is under way */
	uint64_t generation;
	uint32_t kind;		      /* enum journal_kind */
	int32_t recent, flows, users; /* of the tables which one, or JOURNAL_NONE */

	/* What step 4 has counted when it was begun. */
	struct journal_sum totals;
	uint64_t totals_extra_bytes[METER_DIRECTIONS];

	uint64_t ring_end; /* written when it is committed */

	/* The set's entry when the span has ended, written when it is committed; but
	 * totals_extra_packets when the span is begun, for which the first layout had no room. */
	struct journal_set set_after;
};

struct journal_page {
	uint64_t magic;
	uint32_t layout;
	uint32_t padding;
	uint64_t committed; /* the number of the last span that all outputs have */
	struct journal_span span;
	struct journal_set sets[JOURNAL_SETS_MAX];
	uint64_t reserved[226];
};

_Static_assert(sizeof(struct journal_page) == 4096, "pinned layout");

struct journal {
	struct kept kept;
	struct journal_page *page;
};

/* Numbers of spans go on where the clock is, so that they grow over restarts and lost memories. */
uint64_t journal_first_number(void);

/* Open the instance's, or make one that begins at `first`. -EPROTO, logged: a newer version left it. */
int journal_open(struct journal *journal, const struct pins *pins, uint64_t first);
void journal_close(struct journal *journal);

/* The entry of a set, made if it is new. NULL: there are too many. */
struct journal_set *journal_set(struct journal *journal, uint64_t generation);

/* The span that a killed meter has begun and not ended; NULL: none. It may be committed, and then it
 * is only to be taken out of the kernel. */
const struct journal_span *journal_unfinished(const struct journal *journal);

static inline bool journal_is_committed(const struct journal *journal)
{
	return journal->page->span.number <= journal->page->committed;
}

/* Which of two tables a field of the span names. The meter's user can write that memory at any time, also while
 * the next start has rights that the user has not: so it is read once, and held to what there is. */
static inline int journal_which(const int32_t *field)
{
	int32_t which = __atomic_load_n(field, __ATOMIC_RELAXED);

	return which == 0 || which == 1 ? which : JOURNAL_NONE;
}

/* `span` is under way: its number is set here. */
void journal_begin(struct journal *journal, const struct journal_span *span);

/* All outputs have it. What is known only now comes with it. */
void journal_commit(struct journal *journal, uint64_t ring_end, const struct journal_set *after);

/* And it is out of the kernel. */
void journal_end(struct journal *journal);

#endif
