// SPDX-License-Identifier: GPL-2.0-or-later
#include "history/pending.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 1024

_Static_assert(sizeof(struct pending_key) == 24, "a key has no padding, as it is compared whole");

static uint64_t hash_key(const struct pending_key *key)
{
	uint64_t words[3], hash = 0;

	memcpy(words, key, sizeof(words));
	for (int i = 0; i < 3; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash;
}

static void put_slot(struct pending *pending, uint32_t row)
{
	size_t slot = hash_key(&pending->rows[row].key) & (pending->n_slots - 1);

	while (pending->slots[slot])
		slot = (slot + 1) & (pending->n_slots - 1);
	pending->slots[slot] = row + 1;
}

static int reserve(struct pending *pending)
{
	size_t allocated = pending->allocated ? pending->allocated * 2 : SLOTS_MIN / 2;
	struct pending_row *rows;
	uint32_t *slots;

	if (pending->n < pending->allocated)
		return 0;
	rows = reallocarray(pending->rows, allocated, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	pending->rows = rows;
	slots = calloc(allocated * 2, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(pending->slots);
	pending->slots = slots;
	pending->n_slots = allocated * 2;
	pending->allocated = allocated;
	for (uint32_t i = 0; i < pending->n; i++)
		put_slot(pending, i);
	return 0;
}

int pending_add(struct pending *pending, const struct pending_key *key,
		const struct amounts *amounts)
{
	size_t slot;

	if (reserve(pending) < 0)
		return -ENOMEM;
	slot = hash_key(key) & (pending->n_slots - 1);
	for (; pending->slots[slot]; slot = (slot + 1) & (pending->n_slots - 1)) {
		struct pending_row *row = &pending->rows[pending->slots[slot] - 1];

		if (memcmp(&row->key, key, sizeof(*key)) == 0) {
			amounts_add(&row->amounts, amounts);
			return 0;
		}
	}
	pending->rows[pending->n] = (struct pending_row){ *key, *amounts };
	pending->slots[slot] = (uint32_t)++pending->n;
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct pending_key *x = &((const struct pending_row *)a)->key;
	const struct pending_key *y = &((const struct pending_row *)b)->key;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	/* As the database has them: none is -1. */
	if (x->user != y->user)
		return x->user + 1 < y->user + 1 ? -1 : 1;
	if (x->remote != y->remote)
		return x->remote < y->remote ? -1 : 1;
	if (x->service != y->service)
		return x->service < y->service ? -1 : 1;
	return x->origin < y->origin ? -1 : x->origin > y->origin;
}

void pending_sort(struct pending *pending)
{
	if (!pending->n)
		return;
	qsort(pending->rows, pending->n, sizeof(*pending->rows), compare);
	memset(pending->slots, 0, pending->n_slots * sizeof(*pending->slots));
	for (uint32_t i = 0; i < pending->n; i++)
		put_slot(pending, i);
}

void pending_clear(struct pending *pending)
{
	pending->n = 0;
	if (pending->slots)
		memset(pending->slots, 0, pending->n_slots * sizeof(*pending->slots));
}

void pending_free(struct pending *pending)
{
	free(pending->rows);
	free(pending->slots);
	*pending = (struct pending){ 0 };
}
