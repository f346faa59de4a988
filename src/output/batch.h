/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches: how records travel from account to the outputs. Filled by one thread, then shared and
 * not changed any more; counted, and freed by whoever lets go last.
 */
#ifndef OUTPUT_BATCH_H
#define OUTPUT_BATCH_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/record.h>

#define BATCH_RECORDS 1024

struct batch {
	atomic_uint references;
	uint64_t number; /* in the order of the batches, from 1 */
	size_t n;
	struct traffic_record records[BATCH_RECORDS];
};

/* NULL: no memory. One reference, the caller's. */
struct batch *batch_new(uint64_t number);
struct batch *batch_ref(struct batch *batch);
void batch_unref(struct batch *batch);

#endif
