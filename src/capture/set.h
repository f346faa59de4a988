/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The maps that a set of programs counts in, for reading: the ring and the tables of the ladder, and the
 * audit's counters. Each start loads a set of its own and puts its programs in the place of the former
 * ones; what those have counted is read from their set, which then goes. A set is pinned as a directory
 * of its maps, all of them before a program that counts in them is attached.
 */
#ifndef CAPTURE_SET_H
#define CAPTURE_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/join.h"
#include "capture/journal.h"
#include "capture/percpu.h"
#include "capture/pins.h"
#include "capture/recent.h"
#include "capture/ring.h"
#include "capture/tables.h"

#define SET_PREFIX "set-"

enum set_map {
	SET_PACKETS,
	SET_RECENT,
	SET_RECENT_A,
	SET_RECENT_B,
	SET_FLOWS,
	SET_FLOWS_A,
	SET_FLOWS_B,
	SET_USERS,
	SET_USERS_A,
	SET_USERS_B,
	SET_AUDIT,
	SET_MAPS,
};

/* The names of the maps, in the programs and as pins. */
extern const char *const set_map_names[SET_MAPS];

struct set {
	uint64_t generation; /* 0: not open */
	int fds[SET_MAPS];
	struct ring ring;
	struct recent recent;
	struct join join;
	struct tables flows, users;
	struct percpu audit;
	struct journal_set *taken; /* the journal's */
};

/* Open maps by their descriptors, which become the set's, in any case. 0 or a negative errno. */
int set_open(struct set *set, uint64_t generation, const int fds[SET_MAPS],
	     struct journal *journal);

/* Open what is pinned. -ENOENT: not all its maps are there, so no program ever counted in it. */
int set_open_pinned(struct set *set, uint64_t generation, const struct pins *pins,
		    struct journal *journal);
void set_close(struct set *set);

int set_pin(const struct set *set, const struct pins *pins);

/* The pins and the journal's entry go. */
void set_remove(const struct set *set, const struct pins *pins);

/* One of the audit's counters, of all CPUs. 0 or an error of bpf(2). */
int set_read_audit(struct set *set, enum meter_audit which, struct audit_value *ret);

/* Add what was counted and is not taken to *ret. */
int set_read_remaining(struct set *set, struct journal_sum *ret);

/* Whether one half of the tables, 0 or 1, holds anything: 1, 0 or an error. */
int set_tables_used(struct set *set, int which);

#endif
