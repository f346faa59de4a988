/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ranges of uids with a number each: sorted, disjoint, found by binary search. */
#ifndef ACCOUNT_UID_RANGES_H
#define ACCOUNT_UID_RANGES_H

#include <stddef.h>
#include <stdint.h>

struct uid_range {
	uint32_t first;
	uint32_t last; /* inclusive, so that the last uid of all fits */
	uint32_t value;
};

struct uid_ranges {
	struct uid_range *ranges;
	size_t n;
	size_t n_allocated;
};

/* Uids that an earlier range holds stay with it; the rest is added, perhaps in pieces.
 * 0 or -ENOMEM, and then part of it may have been added. */
int uid_ranges_add(struct uid_ranges *ranges, uint32_t first, uint32_t last, uint32_t value);

/* NULL: no range holds the uid. Good until the next uid_ranges_add(). */
const struct uid_range *uid_ranges_find(const struct uid_ranges *ranges, uint32_t uid);

void uid_ranges_free(struct uid_ranges *ranges);

#endif
