// SPDX-License-Identifier: GPL-2.0-or-later
#include "pipeline/transfer.h"

#include <errno.h>
#include <inttypes.h>

#include "account/workload.h"
#include "pipeline/batch.h"
#include "util/log.h"

/* The path and the workload go with the batch, whose readers are other threads. NULL: not known. */
static const struct batch_text *keep_cgroup(struct transfer *transfer, struct batch *batch,
					    uint64_t id)
{
	const char *path = account_cgroup(transfer->account, id);
	char workload[WORKLOAD_SIZE];
	bool known;

	if (!path)
		return NULL;
	known = workload_of(path, workload, sizeof(workload)) > 0;
	return batch_keep_text(batch, id, path, known ? workload : NULL);
}

static void set_cgroup(struct transfer *transfer, struct batch *batch,
		       struct traffic_record *record)
{
	const struct batch_text *kept;

	if (!record->cgroup_id)
		return;
	kept = batch_find_text(batch, record->cgroup_id);
	if (!kept)
		kept = keep_cgroup(transfer, batch, record->cgroup_id);
	if (kept) {
		record->cgroup = kept->path;
		record->workload = kept->workload;
	}
}

/* Of the other machine's end. */
static void set_network(const struct batch *batch, struct traffic_record *record)
{
	const uint8_t *remote =
		record->direction == TRAFFIC_IN ? record->source : record->destination;

	if (batch->networks && record->family != TRAFFIC_FAMILY_NONE)
		record->network = network_names_name(
			batch->networks,
			network_names_find(batch->networks, record->family, remote));
}

/* The next record: the one that waits for its owner, or the capture's. As capture_next(). */
static int next_record(struct transfer *transfer, struct traffic_record *ret)
{
	if (!transfer->owner_wanted)
		return capture_next(transfer->capture, ret);
	transfer->owner_wanted = false;
	*ret = transfer->waiting;
	return 1;
}

/* 1: the span is at its end; 0: the batch is full, or a record's owner is waited for; or an error. */
static int fill_batch(struct transfer *transfer, struct batch *batch)
{
	while (batch->n < BATCH_RECORDS) {
		struct traffic_record *record = &batch->records[batch->n];
		int r = next_record(transfer, record);

		if (r <= 0)
			return r < 0 ? r : 1;
		r = account_record(transfer->account, record);
		if (r == -EAGAIN) {
			transfer->owner_wanted = true;
			transfer->waiting = *record;
			return 0;
		}
		if (r < 0)
			return log_error_errno(r, "keep the totals of uid %" PRIu32, record->uid);
		set_cgroup(transfer, batch, record);
		set_network(batch, record);
		batch->n++;
	}
	return 0;
}

/* Move the span's records to the outputs while these have room. */
static int read_span(struct transfer *transfer)
{
	bool waits = false;

	while (!transfer->span_is_read && !waits && outputs_have_room(transfer->outputs)) {
		struct batch *batch = batch_new(transfer->span.number, transfer->span.repeated,
						transfer->account->networks);
		int r;

		if (!batch)
			return log_error_errno(-ENOMEM, "make a batch of records");
		r = fill_batch(transfer, batch);
		if (r >= 0) {
			transfer->span_is_read = r > 0;
			transfer->span_records += batch->n;
		}
		if (r >= 0 && batch->n) {
			live_add(transfer->live, batch);
			outputs_push(transfer->outputs, batch);
		}
		waits = transfer->owner_wanted;
		batch_unref(batch);
		if (r < 0)
			return r;
	}
	return 0;
}

static int begin_span(struct transfer *transfer)
{
	int r;

	if (transfer->has_last && !transfer->spans_left)
		return 0;
	r = capture_begin(transfer->capture, &transfer->span);
	if (r <= 0)
		return r;
	if (transfer->has_last)
		transfer->spans_left--;
	transfer->in_span = true;
	transfer->span_is_read = false;
	transfer->span_records = 0;
	account_begin(transfer->account, transfer->span.number);
	live_begin(transfer->live, &transfer->span);
	return 1;
}

static int commit(struct transfer *transfer)
{
	bool moving = transfer->span.in_tables;
	int r;

	if (moving)
		live_moving(transfer->live);
	r = capture_commit(transfer->capture);
	if (r == 0)
		live_commit(transfer->live);
	if (moving)
		live_moved(transfer->live);
	return r;
}

int transfer_drain(struct transfer *transfer)
{
	int r;

	for (;;) {
		if (!transfer->in_span && (r = begin_span(transfer)) <= 0)
			return r < 0 ? r : 1;
		r = read_span(transfer);
		if (r < 0)
			return r;
		if (!transfer->span_is_read ||
		    (!transfer->in_a_hurry && !outputs_settle(transfer->outputs)))
			return 0;
		r = commit(transfer);
		if (r < 0)
			return r;
		account_commit(transfer->account);
		transfer->in_span = false;
		if (!transfer->span_records) /* what is in the ring is still being written there */
			return 1;
	}
}

void transfer_add_waiting(const struct transfer *transfer, struct capture_audit *sum)
{
	const struct traffic_record *record = &transfer->waiting;

	if (!transfer->owner_wanted)
		return;
	sum->packets[record->direction] += record->packets;
	sum->bytes[record->direction] += record->bytes;
}
