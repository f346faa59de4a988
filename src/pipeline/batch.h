/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches: how records travel from account to the outputs. Filled by one thread, then shared and
 * not changed any more; counted, and freed by whoever lets go last.
 */
#ifndef PIPELINE_BATCH_H
#define PIPELINE_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

#include "networks/named.h"

#define BATCH_RECORDS 1024

/* Texts that records point to live as long as their batch: cgroups' paths and workloads, found
 * again by id. */
#define BATCH_TEXT_SLOTS 64

struct batch_text {
	struct batch_text *next; /* the batch's */
	uint64_t id;
	const char *workload; /* NULL: not known */
	char path[];
};

struct batch {
	atomic_uint references;
	uint64_t number; /* of what it is a part of: see struct traffic_output's batch */
	bool repeated;
	size_t n;
	struct network_names *networks; /* whose names the records point to; NULL: none */
	struct batch_text *texts;
	const struct batch_text *text_by_id[BATCH_TEXT_SLOTS];
	struct traffic_record records[BATCH_RECORDS];
};

/* networks: NULL, or names that the batch is to keep; it takes a reference of its own.
 * NULL: no memory. One reference, the caller's. */
struct batch *batch_new(uint64_t number, bool repeated, struct network_names *networks);
struct batch *batch_ref(struct batch *batch);
void batch_unref(struct batch *batch);

/* What was kept by that id last; NULL: nothing, or another id has its place. For who fills the
 * batch. */
const struct batch_text *batch_find_text(const struct batch *batch, uint64_t id);

/* Keep copies of a path and of a workload, which may be NULL. NULL: no memory. */
const struct batch_text *batch_keep_text(struct batch *batch, uint64_t id, const char *path,
					 const char *workload);

#endif
