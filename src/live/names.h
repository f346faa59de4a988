/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What numbers in the tables stand for and only the event loop may find out: the owners of subordinate
 * uids, and the paths of cgroups. The live thread asks, the event loop answers; both by the live's lock.
 */
#ifndef LIVE_NAMES_H
#define LIVE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When there are more all are forgotten and asked for again. */
#define LIVE_NAMES_MAX 65536

enum live_name_kind {
	LIVE_NAME_OWNER = 1,
	LIVE_NAME_CGROUP,
};

struct live_name {
	uint64_t id;
	enum live_name_kind kind; /* 0: the slot is free */
	bool answered;
	uint32_t owner;
	char *text; /* NULL: not known */
};

/* All zeroes: empty. */
struct live_names {
	struct live_name *slots;
	size_t n, n_slots;
	size_t n_asked; /* and not answered */
};

void live_names_clear(struct live_names *names);

/* The entry of an id, made as a question if it is new. NULL: no memory. Good until the next call. */
struct live_name *live_names_ask(struct live_names *names, enum live_name_kind kind, uint64_t id);

/* The next question without an answer, from *position on, which begins at 0; NULL: no more. */
struct live_name *live_names_next_asked(struct live_names *names, size_t *position);

#endif
