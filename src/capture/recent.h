/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recent flows that stand before the flow table on each CPU (struct recent_flow): two per-CPU arrays
 * and the slot that names the one in use, as for the tables. When they retire, their sums go into the
 * flow table that has retired just after them, so that a flow is one entry of it and no more.
 */
#ifndef CAPTURE_RECENT_H
#define CAPTURE_RECENT_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/shared.h"

struct recent {
	int outer_fd;
	int inner_fd[2];
	unsigned int active;
	int n_cpus;
	struct recent_flow *of_cpus; /* one entry of the array, as the kernel gives it */

	/* Entries of the array in use, of all CPUs, as recent_look() found them. */
	struct recent_flow *seen;

	/* Flows that found no room in the flow table. */
	struct recent_flow *left;
	size_t n_left, position;
};

/* The descriptors stay the caller's. inner_fd[0] is the one in use. 0 or -ENOMEM. */
int recent_open(struct recent *recent, int outer_fd, const int inner_fd[2], int n_cpus);
void recent_close(struct recent *recent);

/* Whether the array in use holds anything: 1, 0 or an error of bpf(2). */
int recent_used(struct recent *recent);

/* Put the empty array in the place of the one in use. Returns when no program can write it any more. */
int recent_swap(struct recent *recent);

/* Add what the array that was in use holds to a table that no program uses, and empty the array. */
int recent_merge(struct recent *recent, int flows_fd);

/* The next of the flows that found no room; NULL: none. Good until the next swap. */
const struct recent_flow *recent_next(struct recent *recent);

/* Call `see` for each flow that the array in use holds, and for those that recent_next() has not
 * returned yet. */
int recent_look(struct recent *recent,
		void (*see)(void *userdata, const void *key, const void *value), void *userdata);

/* After a look into the tables that came after recent_look(): call `see` for each flow that was pushed
 * out to them in between, and so may have been seen twice. */
int recent_look_again(struct recent *recent,
		      void (*see)(void *userdata, const void *key, const void *value),
		      void *userdata);

#endif
