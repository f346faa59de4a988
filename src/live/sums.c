// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 256

void sums_free(struct sums *sums)
{
	free(sums->slots);
	*sums = (struct sums){ 0 };
}

static struct sum *find(struct sum *slots, size_t n_slots, uint64_t id)
{
	size_t slot = (size_t)(id * 0x9e3779b97f4a7c15ull >> 32) & (n_slots - 1);

	while (slots[slot].id && slots[slot].id != id)
		slot = (slot + 1) & (n_slots - 1);
	return &slots[slot];
}

static int grow(struct sums *sums)
{
	size_t n_slots = sums->n_slots ? sums->n_slots * 2 : SLOTS_FIRST;
	struct sum *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < sums->n_slots; i++)
		if (sums->slots[i].id)
			*find(slots, n_slots, sums->slots[i].id) = sums->slots[i];
	free(sums->slots);
	sums->slots = slots;
	sums->n_slots = n_slots;
	return 0;
}

static struct sum *get(struct sums *sums, uint64_t id)
{
	struct sum *sum;

	if (sums->n >= sums->n_slots / 4 * 3 && grow(sums) < 0)
		return NULL;
	sum = find(sums->slots, sums->n_slots, id);
	if (!sum->id) {
		sum->id = id;
		sums->n++;
	}
	return sum;
}

int sums_add(struct sums *sums, uint64_t id, const struct traffic_record *record)
{
	struct sum *sum = get(sums, id);

	if (!sum)
		return -ENOMEM;
	if (record->step == TRAFFIC_STEP_PACKET) {
		if (sum->span > sums->committed)
			amounts_add_record(&sum->before, record);
	} else if (sum->span != sums->span) {
		sum->before = sum->now;
		sum->span = sums->span;
	}
	amounts_add_record(&sum->now, record);
	return 0;
}

int sums_copy(struct sums *to, const struct sums *from)
{
	sums_free(to);
	*to = *from;
	if (!from->n_slots)
		return 0;
	to->slots = malloc(from->n_slots * sizeof(*to->slots));
	if (!to->slots) {
		*to = (struct sums){ 0 };
		return -ENOMEM;
	}
	memcpy(to->slots, from->slots, from->n_slots * sizeof(*to->slots));
	for (size_t i = 0; i < to->n_slots; i++)
		if (to->slots[i].id)
			to->slots[i].now = *sums_amounts(from, &from->slots[i]);
	to->committed = UINT64_MAX;
	return 0;
}

struct amounts *sums_get(struct sums *sums, uint64_t id)
{
	struct sum *sum = get(sums, id);

	return sum ? &sum->now : NULL;
}
