// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/uid_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RANGES_FIRST 16

/* The index of the first range that ends at or behind the uid. */
static size_t search(const struct uid_ranges *ranges, uint32_t uid)
{
	size_t low = 0, high = ranges->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->ranges[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct uid_range *uid_ranges_find(const struct uid_ranges *ranges, uint32_t uid)
{
	size_t i;

	if (!ranges->n || uid < ranges->ranges[0].first)
		return NULL;
	i = search(ranges, uid);
	return i < ranges->n && uid >= ranges->ranges[i].first ? &ranges->ranges[i] : NULL;
}

static int insert(struct uid_ranges *ranges, size_t i, struct uid_range range)
{
	if (ranges->n == ranges->n_allocated) {
		size_t n = ranges->n ? ranges->n * 2 : RANGES_FIRST;
		struct uid_range *grown = realloc(ranges->ranges, n * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		ranges->ranges = grown;
		ranges->n_allocated = n;
	}
	/* Moves nothing when ranges come in ascending order, as useradd hands them out. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): n_allocated of none is 0. */
	memmove(&ranges->ranges[i + 1], &ranges->ranges[i],
		(ranges->n - i) * sizeof(*ranges->ranges));
	ranges->ranges[i] = range;
	ranges->n++;
	return 0;
}

int uid_ranges_add(struct uid_ranges *ranges, uint32_t first, uint32_t last, uint32_t value)
{
	/* Fill the gaps between the ranges that are there, from the left. */
	for (size_t i = search(ranges, first);; i++) {
		const struct uid_range *next = i < ranges->n ? &ranges->ranges[i] : NULL;
		int r;

		if (!next || next->first > last)
			return insert(ranges, i, (struct uid_range){ first, last, value });
		if (next->first > first) {
			r = insert(ranges, i, (struct uid_range){ first, next->first - 1, value });
			if (r < 0)
				return r;
			next = &ranges->ranges[++i];
		}
		if (next->last >= last)
			return 0;
		first = next->last + 1;
	}
}

void uid_ranges_free(struct uid_ranges *ranges)
{
	free(ranges->ranges);
	*ranges = (struct uid_ranges){ 0 };
}
