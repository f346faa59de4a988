// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/totals.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/log.h"

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
		totals_committed(totals, total, &total->in, &total->out);
		if (total->span > committed)
			total->span = committed;
	}
	/* No meter leaves so many: the look-up needs free slots to end at. */
	if (totals->n > totals->n_slots / 4 * 3) {
		log_warning("the totals in the kernel are not what a meter has written; they are "
			    "taken from elsewhere");
		memset(totals->slots, 0, totals->n_slots * sizeof(*totals->slots));
		totals->n = 0;
	}
}

int totals_open(struct totals *totals, const struct totals_memory *memory, uint64_t committed)
{
	*totals = (struct totals){ .span = committed, .committed = committed };
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
	/* Of memory of another size, which no meter has made, as much as the look-up can use. */
	while (totals->n_slots & (totals->n_slots - 1))
		totals->n_slots &= totals->n_slots - 1;
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

void totals_commit(struct totals *totals)
{
	totals->committed = totals->span;
}

void totals_committed(const struct totals *totals, const struct total *total, uint64_t *ret_in,
		      uint64_t *ret_out)
{
	bool before = total->span > totals->committed;

	*ret_in = before ? total->in_before : total->in;
	*ret_out = before ? total->out_before : total->out;
}

/* NULL: all slots are others', as only somebody else can have written them: the memory may be another
 * process's of the meter's user as well. */
static struct total *find(struct total *slots, size_t n_slots, uint32_t uid)
{
	/* Fibonacci hashing: uids come in rows (1000, 1001, ...), which this spreads. */
	size_t slot = (size_t)(uid * 0x9e3779b97f4a7c15ull >> 32) & (n_slots - 1);

	for (size_t i = 0; i < n_slots; i++, slot = (slot + 1) & (n_slots - 1))
		if (!slots[slot].interval || slots[slot].uid == uid)
			return &slots[slot];
	return NULL;
}

static void fill_larger(void *userdata, void *memory)
{
	const struct totals *totals = userdata;

	for (size_t i = 0; i < totals->n_slots; i++) {
		struct total total = totals->slots[i], *to;

		to = total.interval ? find(memory, 2 * totals->n_slots, total.uid) : NULL;
		if (to)
			*to = total;
	}
}

/* Rights that making a larger one takes may be given up by now. */
static int grow_elsewhere(struct totals *totals, void **ret)
{
	if (totals->where.grow == grow_own)
		return -ENOMEM;
	*ret = calloc(totals->n_slots * 2, sizeof(struct total));
	if (!*ret)
		return -ENOMEM;
	fill_larger(totals, *ret);
	totals->where = (struct totals_memory){ .grow = grow_own, .userdata = totals };
	log_warning("there are more than %zu users; what a killed meter had added to their totals "
		    "since the last interval is not taken back",
		    totals->n);
	return 0;
}

static int grow(struct totals *totals)
{
	void *memory;
	int r = totals->where.grow(totals->where.userdata, (uint32_t)totals->n_slots * 2,
				   fill_larger, totals, &memory);

	if (r < 0 && (r = grow_elsewhere(totals, &memory)) < 0)
		return r;
	totals->slots = memory;
	totals->n_slots *= 2;
	return 0;
}

struct total *totals_get(struct totals *totals, uint32_t uid)
{
	struct total *total = find(totals->slots, totals->n_slots, uid);

	if (total && total->interval)
		return total;
	if (!total || totals->n >= totals->n_slots / 4 * 3) {
		if (grow(totals) < 0)
			return NULL;
		total = find(totals->slots, totals->n_slots, uid);
		if (!total)
			return NULL;
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
