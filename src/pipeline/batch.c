// SPDX-License-Identifier: GPL-2.0-or-later
/* Owns the life of a batch; knows nothing of what its records mean. */
#include "pipeline/batch.h"

#include <stdlib.h>
#include <string.h>

struct batch *batch_new(uint64_t number, bool repeated, struct network_names *networks)
{
	/* Not zeroed: it is 150 KiB, and only the first n records are ever read. */
	struct batch *batch = malloc(sizeof(*batch));

	if (!batch)
		return NULL;
	atomic_init(&batch->references, 1);
	batch->number = number;
	batch->repeated = repeated;
	batch->n = 0;
	batch->networks = network_names_ref(networks);
	batch->texts = NULL;
	memset(batch->text_by_id, 0, sizeof(batch->text_by_id));
	return batch;
}

static void free_batch(struct batch *batch)
{
	struct batch_text *next;

	for (; batch->texts; batch->texts = next) {
		next = batch->texts->next;
		free(batch->texts);
	}
	network_names_unref(batch->networks);
	free(batch);
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
		free_batch(batch);
}

const struct batch_text *batch_find_text(const struct batch *batch, uint64_t id)
{
	const struct batch_text *kept = batch->text_by_id[id % BATCH_TEXT_SLOTS];

	return kept && kept->id == id ? kept : NULL;
}

const struct batch_text *batch_keep_text(struct batch *batch, uint64_t id, const char *path,
					 const char *workload)
{
	size_t size = strlen(path) + 1, workload_size = workload ? strlen(workload) + 1 : 0;
	struct batch_text *kept = malloc(sizeof(*kept) + size + workload_size);

	if (!kept)
		return NULL;
	kept->next = batch->texts;
	kept->id = id;
	memcpy(kept->path, path, size);
	kept->workload = NULL;
	if (workload)
		kept->workload = memcpy(kept->path + size, workload, workload_size);
	batch->texts = kept;
	batch->text_by_id[id % BATCH_TEXT_SLOTS] = kept;
	return kept;
}
