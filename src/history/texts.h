/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts and origins as small numbers. A number (an index of the table below) is the process's own, so
 * that records can be taken in while the database is locked; its id in the database is found, or made,
 * when it is written.
 */
#ifndef HISTORY_TEXTS_H
#define HISTORY_TEXTS_H

#include <stddef.h>
#include <stdint.h>

/* What a detail row says beside time, user, remote and service; texts by index. */
struct origin {
	uint32_t login; /* UINT32_MAX: none */
	uint32_t network, interface, program, workload;
};

struct text_entry {
	char *text;
	int64_t id; /* in the database; -1: not asked yet */
};

struct origin_entry {
	struct origin origin;
	int64_t id; /* likewise */
};

/* Open addressing: slots hold an index + 1; their number is a power of two. */
struct text_index {
	uint32_t *slots;
	size_t n_slots;
};

struct texts {
	struct text_entry *texts;
	struct origin_entry *origins;
	size_t n_texts, n_origins, texts_allocated, origins_allocated;
	struct text_index by_text, by_origin;
};

/* Find or add. 0 or -ENOMEM. The empty text is index 0. */
int texts_add(struct texts *texts, const char *text, size_t length, uint32_t *ret);
int texts_add_origin(struct texts *texts, const struct origin *origin, uint32_t *ret);

/* Ids of a transaction that did not succeed, or of another database. */
void texts_forget_ids(struct texts *texts);

/* Indices are no longer valid. */
void texts_free(struct texts *texts);

#endif
