// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/old_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"

static void see_set(void *userdata, const char *name)
{
	struct old_sets *old = userdata;
	struct set *grown = reallocarray(old->sets, old->n + 1, sizeof(*grown));
	uint64_t generation = strtoull(name + strlen(SET_PREFIX), NULL, 10);
	int r;

	if (!grown)
		return;
	old->sets = grown;
	if (!generation)
		return;
	if (generation >= old->next)
		old->next = generation + 1;
	r = set_open_pinned(&grown[old->n], generation, old->pins, old->journal);
	if (r == 0)
		old->n++;
	else if (r == -ENOENT)
		pins_remove(old->pins, name);
	else
		old->failed = log_warning_errno(r,
						"open what a meter that is gone has counted, in %s "
						"of %s; it stays there",
						name, old->pins->directory);
}

static int compare_sets(const void *a, const void *b)
{
	uint64_t x = ((const struct set *)a)->generation, y = ((const struct set *)b)->generation;

	return x < y ? -1 : x > y;
}

static struct set *find_set(struct old_sets *old, uint64_t generation)
{
	for (size_t i = 0; i < old->n; i++)
		if (old->sets[i].generation == generation)
			return &old->sets[i];
	return NULL;
}

/* Of a set that was removed by one who was killed then. */
static void forget_removed(struct old_sets *old)
{
	for (int i = 0; i < JOURNAL_SETS_MAX; i++) {
		struct journal_set *set = &old->journal->page->sets[i];

		if (!find_set(old, set->generation))
			set->generation = 0;
	}
}

uint64_t old_sets_open(struct old_sets *old, const struct pins *pins, struct journal *journal)
{
	*old = (struct old_sets){ .pins = pins, .journal = journal, .next = 1 };
	pins_each(pins, SET_PREFIX, see_set, old);
	if (!old->failed)
		forget_removed(old);
	if (old->n)
		qsort(old->sets, old->n, sizeof(*old->sets), compare_sets);
	return old->next;
}

void old_sets_close(struct old_sets *old)
{
	for (size_t i = 0; i < old->n; i++)
		set_close(&old->sets[i]);
	free(old->sets);
	*old = (struct old_sets){ 0 };
}

/* What was handed on before the meter was killed is not there to be read any more. */
static int clear_committed(struct old_sets *old)
{
	const struct journal_span *span = journal_unfinished(old->journal);
	struct set *set = span ? find_set(old, span->generation) : NULL;

	if (!span || (set && !journal_is_committed(old->journal)))
		return 0;
	if (set)
		return span_clear(set, old->journal);
	journal_end(old->journal); /* it has gone with its set */
	return 0;
}

int old_sets_adopt(struct old_sets *old)
{
	int r;

	for (size_t i = 0; i < old->n; i++)
		tables_wait(&old->sets[i].users);
	r = clear_committed(old);
	for (size_t i = 0; r == 0 && i < old->n; i++)
		r = set_read_remaining(&old->sets[i], &old->adopted);
	if (r < 0)
		return log_error_errno(r, "read what a meter that is gone has counted");
	if (old->n)
		log_notice("going on where a meter of this instance has stopped: %llu bytes in and "
			   "%llu out are still to be written",
			   (unsigned long long)old->adopted.bytes[METER_IN],
			   (unsigned long long)old->adopted.bytes[METER_OUT]);
	return 0;
}

/* What there is to read of a set whose programs don't run any more; 0: nothing is left. */
static int begin_set(struct old_sets *old, struct set *set, struct span *span)
{
	int r = span_begin_ring(span, set, old->journal);

	for (int i = 0; r == 0 && i < 2; i++) {
		r = set_tables_used(set, i);
		if (r > 0)
			r = span_begin_tables(span, set, i, i, i, old->journal);
	}
	if (r == 0)
		r = span_begin_tables(span, set, JOURNAL_NONE, JOURNAL_NONE, JOURNAL_NONE,
				      old->journal);
	return r;
}

static void drop_oldest(struct old_sets *old)
{
	set_remove(&old->sets[0], old->pins);
	set_close(&old->sets[0]);
	old->n--;
	memmove(&old->sets[0], &old->sets[1], old->n * sizeof(*old->sets));
}

int old_sets_begin(struct old_sets *old, struct span *span)
{
	const struct journal_span *unfinished = journal_unfinished(old->journal);
	int r;

	if (unfinished)
		return span_begin_again(span, find_set(old, unfinished->generation), old->journal);
	while (old->n) {
		r = begin_set(old, &old->sets[0], span);
		if (r != 0)
			return r;
		drop_oldest(old);
	}
	return 0;
}
