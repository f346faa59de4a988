/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recent flows that stand before the flow table on each CPU (struct recent_flow): two per-CPU arrays
 * and the slot that names the one in use, as for the tables. Those that have retired are read together
 * with the flow table that has retired just after them, so that a flow is one record and no more.
 */
#ifndef CAPTURE_RECENT_H
#define CAPTURE_RECENT_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/shared.h"
#include "capture/percpu.h"

struct recent {
	int outer_fd;
	struct percpu arrays[2];
	int active;

	/* Entries of the array in use, of all CPUs, as recent_look() found them. */
	struct recent_flow *seen;

	/* Of the array that is read, the CPUs' sums of a flow in one; and a hash of where they are. */
	struct recent_flow *flows;
	bool *taken;
	uint32_t *slots; /* index + 1; 0: free */
	size_t n, n_slots, position;
};

/* The descriptors stay the caller's. 0 or a negative errno. */
int recent_open(struct recent *recent, int outer_fd, const int inner_fd[2]);
void recent_close(struct recent *recent);

/* Whether one of the two holds anything: 1, 0 or an error of bpf(2). */
int recent_used(struct recent *recent, int which);

/* Put the other array, which has to be empty, in the place of the one in use. Returns when no program
 * can write it any more. */
int recent_swap(struct recent *recent);

/* Read an array that no program writes. */
int recent_read(struct recent *recent, int which);

/* Add what was read of a flow to its entry of the table, if there is any. */
void recent_add_to(struct recent *recent, const struct flow_key *key, struct flow_value *value);

/* The next of the flows that recent_add_to() has not asked for, in an order that is always the same;
 * NULL: no more. Good until the next recent_read(). */
const struct recent_flow *recent_next(struct recent *recent);

/* Empty an array that no program writes. */
int recent_empty(struct recent *recent, int which);

typedef void (*recent_see_fn)(void *userdata, const void *key, const void *value);

/* Call `see` for each flow that one of the two holds. */
int recent_look(struct recent *recent, int which, recent_see_fn see, void *userdata);

/* After a look into the tables that came after recent_look() of the array in use: call `see` for each
 * flow that was pushed out to them in between, and so may have been seen twice. */
int recent_look_again(struct recent *recent, recent_see_fn see, void *userdata);

#endif
