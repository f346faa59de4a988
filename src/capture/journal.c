// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/journal.h"

#include <errno.h>
#include <time.h>

#include "util/log.h"

#define MAGIC 0x6c6e726a6d667274ull /* "trfmjrnl" */

/* What comes before it in the source is in memory before what comes after: for a reader that comes when
 * this process has ended that is all it takes. */
static void in_order(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

uint64_t journal_first_number(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

int journal_open(struct journal *journal, const struct pins *pins, uint64_t first)
{
	struct journal_page *page;
	int r = kept_open(&journal->kept, pins, "journal", sizeof(struct journal_page), 1);

	if (r < 0)
		return log_error_errno(r, "open the journal in the kernel");
	page = journal->page = journal->kept.memory;
	if (page->magic && page->layout > JOURNAL_LAYOUT) {
		log_error(
			"the kernel holds what a newer traffic-meter has counted (layout %u, this "
			"one knows %u): start that version again, or let its 'traffic-meter "
			"detach' write and remove it",
			page->layout, JOURNAL_LAYOUT);
		return -EPROTO;
	}
	if (!page->magic)
		page->committed = first;
	page->layout = JOURNAL_LAYOUT;
	in_order();
	page->magic = MAGIC;
	return 0;
}

void journal_close(struct journal *journal)
{
	kept_close(&journal->kept);
	journal->page = NULL;
}

struct journal_set *journal_set(struct journal *journal, uint64_t generation)
{
	struct journal_set *free_entry = NULL;

	for (int i = 0; i < JOURNAL_SETS_MAX; i++) {
		struct journal_set *set = &journal->page->sets[i];

		if (set->generation == generation)
			return set;
		if (!set->generation)
			free_entry = set;
	}
	if (free_entry) {
		*free_entry = (struct journal_set){ 0 };
		in_order();
		free_entry->generation = generation;
	}
	return free_entry;
}

const struct journal_span *journal_unfinished(const struct journal *journal)
{
	return journal->page->span.number ? &journal->page->span : NULL;
}

void journal_begin(struct journal *journal, const struct journal_span *span)
{
	struct journal_page *page = journal->page;

	page->span = *span;
	page->span.number = 0;
	in_order();
	page->span.number = page->committed + 1;
}

void journal_commit(struct journal *journal, uint64_t ring_end, const struct journal_set *after)
{
	struct journal_page *page = journal->page;

	page->span.ring_end = ring_end;
	page->span.set_after = *after;
	in_order();
	page->committed = page->span.number;
	in_order();
}

void journal_end(struct journal *journal)
{
	struct journal_page *page = journal->page;

	/* It may have gone with its set. */
	for (int i = 0; i < JOURNAL_SETS_MAX; i++)
		if (page->sets[i].generation == page->span.generation)
			page->sets[i] = page->span.set_after;
	in_order();
	page->span.number = 0;
	in_order();
}
