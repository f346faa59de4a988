/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running totals of bytes per uid, both families together. They only grow: over restarts too, as their
 * memory may outlive the process. What a span of records that was not committed had added is taken back
 * then, since it comes again.
 */
#ifndef ACCOUNT_TOTALS_H
#define ACCOUNT_TOTALS_H

#include <stddef.h>
#include <stdint.h>

struct total {
	uint32_t uid;
	uint32_t interval; /* the last one in which the uid was seen; 0: the slot is free */
	uint64_t in, out;

	/* The last span that has added to it, and what it was before. */
	uint64_t span;
	uint64_t in_before, out_before;
};

_Static_assert(sizeof(struct total) == 48, "pinned layout");

#define TOTALS_SLOTS_FIRST 4096

/* Where the slots are. `grow` makes room for n slots, has `fill` write them, and gives the former ones
 * back; 0 or a negative errno. */
struct totals_memory {
	void *memory;	  /* zeroes, or what a process before has left */
	uint32_t n_slots; /* a power of two */
	int (*grow)(void *userdata, uint32_t n, void (*fill)(void *fill_data, void *memory),
		    void *fill_data, void **ret);
	void *userdata;
};

/* Open addressing; at most three quarters of the slots are used. */
struct totals {
	struct totals_memory where;
	struct total *slots;
	size_t n_slots;
	size_t n;
	uint64_t span; /* that is under way */
};

/* memory: NULL: the process's own is taken. committed: the number of the last span that is not to come
 * again. 0 or -ENOMEM. */
int totals_open(struct totals *totals, const struct totals_memory *memory, uint64_t committed);
void totals_close(struct totals *totals);

/* What is added from now on is of this span. */
void totals_begin(struct totals *totals, uint64_t span);

/* The entry of a uid, made with zeroes if it is new. NULL: no memory. Good until the next call. */
struct total *totals_get(struct totals *totals, uint32_t uid);

/* Add to an entry. */
void totals_add(const struct totals *totals, struct total *total, uint64_t in, uint64_t out);

/* Totals that are known from elsewhere: raise an entry that is lower. 0 or -ENOMEM. */
int totals_raise(struct totals *totals, uint32_t uid, uint64_t in, uint64_t out);

#endif
