/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running totals of bytes per uid, both families together. They only grow. */
#ifndef ACCOUNT_TOTALS_H
#define ACCOUNT_TOTALS_H

#include <stddef.h>
#include <stdint.h>

struct total {
	uint32_t uid;
	uint32_t interval; /* the last one in which the uid was seen; 0: the slot is free */
	uint64_t in;
	uint64_t out;
};

/* Open addressing; the number of slots is a power of two, at most three quarters of them used. */
struct totals {
	struct total *slots;
	size_t n_slots;
	size_t n;
};

/* The entry of a uid, made with zeroes if it is new. NULL: no memory. Good until the next call. */
struct total *totals_get(struct totals *totals, uint32_t uid);
void totals_free(struct totals *totals);

#endif
