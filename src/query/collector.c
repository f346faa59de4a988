// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `top` ranks what is not a time: of `--by day,user --top 10` it keeps the ten users with the most
 * bytes in the period, and each day has an `other` of its own. So pictures have the same series from
 * end to end. Where there is a time alone, it ranks times.
 */
#include "query/collector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"

#define NO_TIME SIZE_MAX

struct collector_group {
	int64_t ids[QUERY_BY_MAX];
	struct query_amounts amounts;
	uint64_t rank_bytes; /* of what is ranked: the group without its time */
	uint64_t n;	     /* groups added up here */
};

void collector_init(struct collector *collector, const struct question *question)
{
	*collector = (struct collector){ .question = question };
}

void collector_free(struct collector *collector)
{
	free(collector->groups);
	free(collector->slots);
	*collector = (struct collector){ 0 };
}

static size_t hash(const int64_t *ids, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum = (sum ^ (uint64_t)ids[i]) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 29;
	}
	return (size_t)sum;
}

/* The slot of these ids, or the empty one where they would go. */
static uint32_t *find_slot(const struct collector *collector, const int64_t *ids, size_t n_by)
{
	size_t at = hash(ids, n_by) & (collector->n_slots - 1);

	while (collector->slots[at] && memcmp(collector->groups[collector->slots[at] - 1].ids, ids,
					      n_by * sizeof(*ids)) != 0)
		at = (at + 1) & (collector->n_slots - 1);
	return &collector->slots[at];
}

static int grow(struct collector *collector, size_t n_by)
{
	size_t size = collector->size ? 2 * collector->size : 256;
	struct collector_group *groups =
		reallocarray(collector->groups, size, sizeof(*collector->groups));
	uint32_t *slots;

	if (!groups)
		return -ENOMEM;
	collector->groups = groups;
	slots = calloc(2 * size, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(collector->slots);
	collector->slots = slots;
	collector->n_slots = 2 * size;
	collector->size = size;
	for (size_t i = 0; i < collector->n; i++)
		*find_slot(collector, collector->groups[i].ids, n_by) = (uint32_t)i + 1;
	return 0;
}

static void add_amounts(struct query_amounts *to, const struct query_amounts *amounts)
{
	for (int i = 0; i < 2; i++) {
		to->bytes[i] += amounts->bytes[i];
		to->wire_bytes[i] += amounts->wire_bytes[i];
		to->packets[i] += amounts->packets[i];
	}
}

int collector_add(struct collector *collector, const int64_t *ids,
		  const struct query_amounts *amounts)
{
	size_t n_by = collector->question->n_by;
	uint32_t *slot;

	if (collector->n == collector->size) {
		int r = grow(collector, n_by);

		if (r < 0)
			return r;
	}
	slot = find_slot(collector, ids, n_by);
	if (!*slot) {
		struct collector_group *group = &collector->groups[collector->n++];

		*group = (struct collector_group){ .n = 1 };
		memcpy(group->ids, ids, n_by * sizeof(*ids));
		*slot = (uint32_t)collector->n;
	}
	add_amounts(&collector->groups[*slot - 1].amounts, amounts);
	add_amounts(&collector->total, amounts);
	return 0;
}

static size_t find_time(const struct question *question)
{
	for (size_t i = 0; i < question->n_by; i++)
		if (query_key_is_time(question->by[i]))
			return i;
	return NO_TIME;
}

/* How rows are sorted: qsort_r()'s argument. */
struct order {
	const struct question *question;
	size_t time;	 /* index of the time among the keys, or NO_TIME */
	bool other_last; /* or in its place by size, where there are several */
};

static bool is_other(const struct collector_group *group, const struct order *order)
{
	for (size_t i = 0; i < order->question->n_by; i++)
		if (i != order->time && group->ids[i] != COLLECTOR_OTHER)
			return false;
	return order->question->n_by > (order->time != NO_TIME);
}

static int compare_ids(const struct collector_group *a, const struct collector_group *b,
		       const struct order *order)
{
	for (size_t i = 0; i < order->question->n_by; i++)
		if (i != order->time && a->ids[i] != b->ids[i])
			return a->ids[i] < b->ids[i] ? -1 : 1;
	return 0;
}

static int compare_times(const struct collector_group *a, const struct collector_group *b,
			 const struct order *order)
{
	int64_t a_time = order->time == NO_TIME ? 0 : a->ids[order->time];
	int64_t b_time = order->time == NO_TIME ? 0 : b->ids[order->time];

	if (a_time == b_time)
		return 0;
	if (a_time == COLLECTOR_OTHER || b_time == COLLECTOR_OTHER)
		return a_time == COLLECTOR_OTHER ? 1 : -1;
	return a_time < b_time ? -1 : 1;
}

/* The largest first; the ids make the order the same each time. */
static int compare_rank(const void *left, const void *right, void *userdata)
{
	const struct collector_group *a = left, *b = right;
	const struct order *order = userdata;

	if (is_other(a, order) != is_other(b, order))
		return is_other(a, order) ? 1 : -1;
	if (a->rank_bytes != b->rank_bytes)
		return a->rank_bytes > b->rank_bytes ? -1 : 1;
	return compare_ids(a, b, order) ?: compare_times(a, b, order);
}

static int compare_rows(const void *left, const void *right, void *userdata)
{
	const struct collector_group *a = left, *b = right;
	const struct order *order = userdata;
	int times = compare_times(a, b, order);
	uint64_t a_bytes = query_bytes(&a->amounts, order->question->wire);
	uint64_t b_bytes = query_bytes(&b->amounts, order->question->wire);

	if (order->time != 0)
		return compare_rank(a, b, userdata);
	if (times)
		return times;
	if (is_other(a, order) != is_other(b, order))
		return is_other(a, order) ? 1 : -1;
	if (a_bytes != b_bytes)
		return a_bytes > b_bytes ? -1 : 1;
	return compare_ids(a, b, order);
}

static int compare_ids_of(const void *left, const void *right, void *userdata)
{
	return compare_ids(left, right, userdata);
}

/* Gives every group the bytes of what is ranked: all its times together. Returns how many there are,
 * `other` not counted; the groups are in their order then. */
static size_t rank(struct collector *collector, struct order *order)
{
	struct collector_group *groups = collector->groups;
	size_t n = collector->n, n_ranked = 0, last = 0;
	bool wire = collector->question->wire;

	if (order->time == NO_TIME || collector->question->n_by == 1) {
		for (size_t i = 0; i < n; i++)
			groups[i].rank_bytes = query_bytes(&groups[i].amounts, wire);
	} else {
		qsort_r(groups, n, sizeof(*groups), compare_ids_of, order);
		for (size_t i = 0; i < n; i++) {
			if (i && compare_ids(&groups[i], &groups[last], order) != 0)
				last = i;
			groups[last].rank_bytes += query_bytes(&groups[i].amounts, wire);
		}
		for (size_t i = 1; i < n; i++)
			if (compare_ids(&groups[i], &groups[i - 1], order) == 0)
				groups[i].rank_bytes = groups[i - 1].rank_bytes;
	}
	qsort_r(groups, n, sizeof(*groups), compare_rank, order);
	for (size_t i = 0; i < n && !is_other(&groups[i], order); i++)
		n_ranked += i == 0 || collector->question->n_by == 1 ||
			    compare_ids(&groups[i], &groups[i - 1], order) != 0;
	return n_ranked;
}

static void make_other(int64_t *ids, const struct order *order)
{
	for (size_t i = 0; i < order->question->n_by; i++)
		if (i != order->time || order->question->n_by == 1)
			ids[i] = COLLECTOR_OTHER;
}

/* Adds up what is behind the top ones, ranked before. The groups end at the others' rows then. */
static int fold(struct collector *collector, struct order *order, size_t top)
{
	struct question whole = *collector->question;
	_cleanup_(collector_free) struct collector folded = { .question = &whole };
	size_t n_ranked = 0;

	for (size_t i = 0; i < collector->n; i++) {
		struct collector_group *group = &collector->groups[i];
		int64_t ids[QUERY_BY_MAX];
		uint64_t n = group->n, rank_bytes = group->rank_bytes;
		bool other = is_other(group, order);
		int r;

		if (!other)
			n_ranked += i == 0 || order->question->n_by == 1 ||
				    compare_ids(group, group - 1, order) != 0;
		memcpy(ids, group->ids, sizeof(ids));
		if (n_ranked > top && !other) {
			make_other(ids, order);
			rank_bytes = 0;
			other = true;
		}
		r = collector_add(&folded, ids, &group->amounts);
		if (r < 0)
			return r;
		group = &folded.groups[*find_slot(&folded, ids, whole.n_by) - 1];
		group->rank_bytes = rank_bytes;
		group->n = other ? group->n + n : 1;
	}
	/* A row `other` began with 1 for itself. */
	for (size_t i = 0; i < folded.n; i++)
		if (folded.groups[i].n > 1)
			folded.groups[i].n--;
	free(collector->groups);
	collector->groups = steal_pointer(folded.groups);
	collector->n = folded.n;
	return 0;
}

static struct query_value make_value(int64_t id)
{
	if (id == COLLECTOR_UNKNOWN)
		return (struct query_value){ .kind = QUERY_VALUE_UNKNOWN };
	if (id == COLLECTOR_OTHER)
		return (struct query_value){ .kind = QUERY_VALUE_OTHER };
	return (struct query_value){ .kind = QUERY_VALUE_KNOWN, .number = id };
}

int collector_finish(struct collector *collector, struct answer *answer)
{
	const struct question *question = collector->question;
	struct order order = { .question = question, .time = find_time(question) };
	int r;

	if (!collector->n)
		return 0;
	answer->groups = rank(collector, &order);
	answer->total = collector->total;
	if (question->top && answer->groups > question->top) {
		r = fold(collector, &order, (size_t)question->top);
		if (r < 0)
			return r;
	}
	if (!collector->groups) /* not so: fold() leaves a group at least */
		return -ENOMEM;
	qsort_r(collector->groups, collector->n, sizeof(*collector->groups), compare_rows, &order);
	answer->rows = calloc(collector->n + 1, sizeof(*answer->rows));
	if (!answer->rows)
		return -ENOMEM;
	answer->n_rows = collector->n;
	for (size_t i = 0; i < collector->n; i++) {
		for (size_t j = 0; j < question->n_by; j++)
			answer->rows[i].values[j] = make_value(collector->groups[i].ids[j]);
		answer->rows[i].amounts = collector->groups[i].amounts;
		answer->rows[i].groups = collector->groups[i].n;
	}
	return 0;
}
