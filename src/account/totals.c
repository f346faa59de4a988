// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/totals.h"

#include <stdlib.h>

#include "util/cleanup.h"

#define SLOTS_FIRST 256

static size_t slot_of(const struct totals *totals, uint32_t uid)
{
	/* Fibonacci hashing: uids come in rows (1000, 1001, ...), which this spreads. */
	return (size_t)(uid * 0x9e3779b97f4a7c15ull >> 32) & (totals->n_slots - 1);
}

static struct total *find(const struct totals *totals, uint32_t uid)
{
	size_t slot = slot_of(totals, uid);

	while (totals->slots[slot].interval && totals->slots[slot].uid != uid)
		slot = (slot + 1) & (totals->n_slots - 1);
	return &totals->slots[slot];
}

static int grow(struct totals *totals)
{
	struct totals grown = {
		.n_slots = totals->n_slots ? totals->n_slots * 2 : SLOTS_FIRST,
		.n = totals->n,
	};

	grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < totals->n_slots; i++)
		if (totals->slots[i].interval)
			*find(&grown, totals->slots[i].uid) = totals->slots[i];
	free(totals->slots);
	*totals = grown;
	return 0;
}

struct total *totals_get(struct totals *totals, uint32_t uid)
{
	struct total *total = totals->n_slots ? find(totals, uid) : NULL;

	if (total && total->interval)
		return total;
	if (!total || totals->n >= totals->n_slots / 4 * 3) {
		if (grow(totals) < 0)
			return NULL;
		total = find(totals, uid);
	}
	total->uid = uid;
	total->interval = 1;
	totals->n++;
	return total;
}

void totals_free(struct totals *totals)
{
	free(totals->slots);
	*totals = (struct totals){ 0 };
}
