/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flows of TCP connections that no task was seen using, joined with the owner that was seen using the same
 * connection in the same interval: a server that only reads shows at its first window update, or when it
 * closes, and what came before is in a flow of the socket's creator.
 *
 * Such flows are kept here while a retired table is read, and handed on at its end, in the order in which
 * they came. Where any was kept, the others are shown to the join before that (join_see), once more. A flow
 * of which a task was seen is never changed.
 */
#ifndef CAPTURE_JOIN_H
#define CAPTURE_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/shared.h"

/* So many are kept at most, in 15 MB that are given back at the end; others stay their creator's. */
#define JOIN_MAX 65536

struct join_flow;

struct join {
	struct join_flow *flows; /* NULL: none was kept yet */
	uint32_t *slots;	 /* hash of their connections: index + 1; 0: free */
	size_t n, position;
	bool joined; /* the caller's: it has shown the others */
	uint64_t secret[10];
};

/* Begin a span. */
void join_begin(struct join *join);

/* Give the memory back. Zeroes are fine. */
void join_end(struct join *join);

/* Keep a flow. Returns 1 when it is kept, 0 when it is to be handed on as it is, or -ENOMEM. */
int join_keep(struct join *join, const struct flow_key *key, const struct flow_value *value);

/* Show a flow to those that are kept. The owner that was seen first on a connection gets them. */
void join_see(struct join *join, const struct flow_key *key, const struct flow_value *value);

/* The next of those that were kept. Returns false at the end. */
bool join_next(struct join *join, const struct flow_key **ret_key,
	       const struct flow_value **ret_value);

#endif
