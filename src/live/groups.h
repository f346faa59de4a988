/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections added up by what they have in common. */
#ifndef LIVE_GROUPS_H
#define LIVE_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "live/amounts.h"
#include "live/request.h"
#include "live/store.h"

/* Without padding, as it is compared as memory. */
struct group_key {
	uint8_t family; /* of a remote */
	uint8_t zero[7];
	union {
		uint8_t remote[16];
		char program[16];
		uint64_t number; /* a cgroup */
	};
};

struct group {
	struct group_key key;
	struct amounts amounts;
	struct rates rates;
	uint32_t connections;
	uint32_t uid;	/* of one of them */
	bool has_users; /* of more users than that */
};

struct groups {
	struct group *groups; /* those with the highest rates first */
	size_t n;
};

/* Adds up the connections that the request is for. Returns 0 or -ENOMEM. */
int groups_make(struct groups *groups, const struct store *store, const struct request *request);
void groups_free(struct groups *groups);

#endif
