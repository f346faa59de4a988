// SPDX-License-Identifier: GPL-2.0-or-later
/* Owns the life of a batch; knows nothing of what its records mean. */
#include "output/batch.h"

#include <stdlib.h>

struct batch *batch_new(uint64_t number)
{
	/* Not zeroed: it is 150 KiB, and only the first n records are ever read. */
	struct batch *batch = malloc(sizeof(*batch));

	if (!batch)
		return NULL;
	atomic_init(&batch->references, 1);
	batch->number = number;
	batch->n = 0;
	return batch;
}

struct batch *batch_ref(struct batch *batch)
{
	/* Who takes a reference holds one already, so nothing has to be ordered here. */
	atomic_fetch_add_explicit(&batch->references, 1, memory_order_relaxed);
	return batch;
}

void batch_unref(struct batch *batch)
{
	/* All reads of the records by this thread come before the free() by another. */
	if (batch && atomic_fetch_sub_explicit(&batch->references, 1, memory_order_acq_rel) == 1)
		free(batch);
}
