/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connections that are seen while somebody watches: both directions of each, with what was moved and
 * the rates between the last two looks. One thread's, and bounded: connections that ended are kept for a
 * minute, fewer seconds when there are too many.
 */
#ifndef LIVE_STORE_H
#define LIVE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

#include "live/amounts.h"

/* How long a connection without packets is kept. */
#define STORE_KEPT_NS (60 * 1000000000ull)

/* The most connections. Beyond them packets are in users' and interfaces' sums only. */
#define STORE_MAX 524288

/* Without padding, as it is compared as memory. */
struct connection_key {
	uint32_t uid;
	uint32_t ifindex;
	uint16_t local_port, remote_port;
	uint8_t family;
	uint8_t protocol;
	uint8_t zero[2];
	uint8_t local[16], remote[16];
};

_Static_assert(sizeof(struct connection_key) == 48, "no padding");

struct connection {
	struct connection_key key;
	uint64_t cgroup_id;
	uint32_t login_uid;
	uint32_t look; /* that `found` is of */
	char program[16];
	struct amounts drained; /* out of tables that are empty again */
	struct amounts found;	/* by the look, in tables */
	struct amounts shown;	/* after the look before */
	struct rates rates;
	uint64_t active_ns; /* when it had more than at the look before; CLOCK_MONOTONIC */
};

struct store {
	struct connection *connections;
	size_t n, n_allocated;
	uint32_t *slots; /* index + 1; 0: free */
	size_t n_slots;
	uint32_t look;
	uint64_t look_ns;  /* when the last look ended; 0: there was none */
	uint64_t first_ns; /* the first one */
	uint64_t kept_ns;
	uint64_t refused; /* records that had no room */
	bool moved; /* tables were emptied since the last look: their sums may be others' now */
};

void store_free(struct store *store);

/* A look begins: what an unfinished one has found is forgotten. */
void store_begin_look(struct store *store);

/* The look found a record of the steps packet and flow, for a uid (its subordinate owner's). */
void store_find(struct store *store, const struct traffic_record *record, uint32_t uid);

/* A record was drained, and the tables it was in are empty. */
void store_drain(struct store *store, const struct traffic_record *record);

/* The look is complete: works out rates, and forgets what ended. */
void store_end_look(struct store *store, uint64_t now_ns);

#endif
