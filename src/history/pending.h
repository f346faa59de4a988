/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Amounts that were taken in and are not in the database yet, added up by the key of their detail row. */
#ifndef HISTORY_PENDING_H
#define HISTORY_PENDING_H

#include <stddef.h>
#include <stdint.h>

#include "history/texts.h"

/* By direction: in, out. */
struct amounts {
	uint64_t bytes[2], wire_bytes[2], packets[2], wire_packets[2];
};

struct pending_key {
	int64_t time; /* start of the 5 minutes */
	uint32_t user;
	uint32_t remote; /* index of a text */
	int32_t service;
	uint32_t origin; /* index */
};

struct pending_row {
	struct pending_key key;
	struct amounts amounts;
};

struct pending {
	struct pending_row *rows;
	size_t n, allocated;
	uint32_t *slots; /* index + 1 of the row */
	size_t n_slots;
};

/* 0 or -ENOMEM, and nothing is added. */
int pending_add(struct pending *pending, const struct pending_key *key,
		const struct amounts *amounts);

/* In the order of time and user, then as the detail table has them, as rows are
 * written fastest in the order in which they are stored. */
void pending_sort(struct pending *pending);

void pending_clear(struct pending *pending);
void pending_free(struct pending *pending);

static inline void amounts_add(struct amounts *to, const struct amounts *more)
{
	for (int i = 0; i < 2; i++) {
		to->bytes[i] += more->bytes[i];
		to->wire_bytes[i] += more->wire_bytes[i];
		to->packets[i] += more->packets[i];
		to->wire_packets[i] += more->wire_packets[i];
	}
}

#endif
