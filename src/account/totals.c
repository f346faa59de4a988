// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/totals.h"

#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

static int grow_own(void *userdata, uint32_t n, void (*fill)(void *fill_data, void *memory),
		    void *fill_data, void **ret)
{
	struct totals *totals = userdata;
	void *memory = calloc(n, sizeof(struct total));

	if (!memory)
		return -ENOMEM;
	fill(fill_data, memory);
	free(totals->slots);
	*ret = memory;
	return 0;
}

/* A process that was killed may have written the first words and not the last. */
static void recover(struct totals *totals, uint64_t committed)
{
	for (size_t i = 0; i < totals->n_slots; i++) {
		struct total *total = &totals->slots[i];

		if (!total->interval)
			continue;
		totals->n++;
		total->interval = 1;
		if (total->span > committed) {
			total->in = total->in_before;
			total->out = total->out_before;
			total->span = committed;
		}
	}
}

int totals_open(struct totals *totals, const struct totals_memory *memory, uint64_t committed)
{
	*totals = (struct totals){ .span = committed };
	if (memory)
		totals->where = *memory;
	else
		totals->where = (struct totals_memory){
			.memory = calloc(TOTALS_SLOTS_FIRST, sizeof(struct total)),
			.n_slots = TOTALS_SLOTS_FIRST,
			.grow = grow_own,
			.userdata = totals,
		};
	totals->slots = totals->where.memory;
	totals->n_slots = totals->where.n_slots;
	if (!totals->slots)
		return -ENOMEM;
	recover(totals, committed);
	return 0;
}

void totals_close(struct totals *totals)
{
	if (totals->where.grow == grow_own)
		free(totals->slots);
	*totals = (struct totals){ 0 };
}

void totals_begin(struct totals *totals, uint64_t span)
{
	totals->span = span;
}

static struct total *find(struct total *slots, size_t n_slots, uint32_t uid)
{
	/* Fibonacci hashing: uids come in rows (1000, 1001, ...), which this spreads. */
	size_t slot = (size_t)(uid * 0x9e3779b97f4a7c15ull >> 32) & (n_slots - 1);

	while (slots[slot].interval && slots[slot].uid != uid)
		slot = (slot + 1) & (n_slots - 1);
	return &slots[slot];
}

static void fill_larger(void *userdata, void *memory)
{
	const struct totals *totals = userdata;

	for (size_t i = 0; i < totals->n_slots; i++)
		if (totals->slots[i].interval)
			*find(memory, 2 * totals->n_slots, totals->slots[i].uid) = totals->slots[i];
}

static int grow(struct totals *totals)
{
	void *memory;
	int r = totals->where.grow(totals->where.userdata, (uint32_t)totals->n_slots * 2,
				   fill_larger, totals, &memory);

	if (r < 0)
		return r;
	totals->slots = memory;
	totals->n_slots *= 2;
	return 0;
}

struct total *totals_get(struct totals *totals, uint32_t uid)
{
	struct total *total = find(totals->slots, totals->n_slots, uid);

	if (total->interval)
		return total;
	if (totals->n >= totals->n_slots / 4 * 3) {
		if (grow(totals) < 0)
			return NULL;
		total = find(totals->slots, totals->n_slots, uid);
	}
	*total = (struct total){ .uid = uid };
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	total->interval = 1;
	totals->n++;
	return total;
}

void totals_add(const struct totals *totals, struct total *total, uint64_t in, uint64_t out)
{
	if (total->span != totals->span) {
		total->in_before = total->in;
		total->out_before = total->out;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		total->span = totals->span;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
	total->in += in;
	total->out += out;
}

int totals_raise(struct totals *totals, uint32_t uid, uint64_t in, uint64_t out)
{
	struct total *total = totals_get(totals, uid);

	if (!total)
		return -ENOMEM;
	totals_add(totals, total, in > total->in ? in - total->in : 0,
		   out > total->out ? out - total->out : 0);
	return 0;
}
