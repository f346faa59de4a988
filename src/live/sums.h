/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sums by an id (a user, an interface) of what was drained since the meter's start. What came out of the
 * tables counts from its span's commit on, when it has left the tables: so these sums and a look at the
 * tables never count a packet twice. What came out of the ring, where nobody looks, counts at once.
 */
#ifndef LIVE_SUMS_H
#define LIVE_SUMS_H

#include <stddef.h>
#include <stdint.h>

#include "live/amounts.h"

struct sum {
	uint64_t id; /* 0: the slot is free */
	uint64_t span;
	struct amounts now;
	struct amounts before; /* the span */
};

/* All zeroes: empty. Open addressing; at most three quarters of the slots are used. */
struct sums {
	struct sum *slots;
	size_t n, n_slots;
	uint64_t span, committed;
};

void sums_free(struct sums *sums);

/* Records from now on are of this span. */
static inline void sums_begin(struct sums *sums, uint64_t span)
{
	sums->span = span;
}

/* It has left the tables. */
static inline void sums_commit(struct sums *sums)
{
	sums->committed = sums->span;
}

/* Adds a record to an id's sum. The id is not 0. Returns 0 or -ENOMEM. */
int sums_add(struct sums *sums, uint64_t id, const struct traffic_record *record);

/* The slot's sum without a span that is not committed. */
static inline const struct amounts *sums_amounts(const struct sums *sums, const struct sum *sum)
{
	return sum->span > sums->committed ? &sum->before : &sum->now;
}

/* Makes *to a copy of *from, in memory of its own. Returns 0 or -ENOMEM. */
int sums_copy(struct sums *to, const struct sums *from);

/* The amounts of an id, made with zeroes if it is new, to be added to; for a copy. NULL: no memory. */
struct amounts *sums_get(struct sums *sums, uint64_t id);

#endif
