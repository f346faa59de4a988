/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The outputs of a meter together: all take the same batches, and one that is full holds back all,
 * until the stop, where none may cost the others what the kernel still holds.
 */
#ifndef PIPELINE_OUTPUTS_H
#define PIPELINE_OUTPUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/option.h>

#include "pipeline/batch.h"
#include "pipeline/output_queue.h"

#define OUTPUTS_MAX 16

struct outputs {
	struct output_queue *queues[OUTPUTS_MAX];
	size_t n;

	bool given_up[OUTPUTS_MAX]; /* at the stop: nothing more is pushed to it */
};

/* Whether a nic_id can be part of a file's name: 0; or -EINVAL, logged. */
int outputs_verify_nic_id(const char *nic_id);

/* As output_queue_new(), for each SPEC. On an error those that were opened stay open. */
int outputs_open(struct outputs *outputs, const struct traffic_strings *specs, const char *nic_id,
		 int room_fd);

/* Rights that one of them will need later (enum traffic_output_need). */
unsigned int outputs_needs(const struct outputs *outputs);

/* As output_queue_totals(), of all of them. */
int outputs_totals(const struct outputs *outputs, uint64_t known, traffic_total_tell *tell,
		   void *userdata);

/* Start their threads. 0 or an error, logged. */
int outputs_start(const struct outputs *outputs);

/* Stops at once what outputs_stop() has not stopped. */
void outputs_close(struct outputs *outputs);

/* Returns true when no output holds the others (output_queue_holds()). */
bool outputs_have_room(const struct outputs *outputs);

/* Only when there is room. Each output takes a reference of its own. */
void outputs_push(const struct outputs *outputs, struct batch *batch);

/* As output_queue_settle(), of all of them. */
bool outputs_settle(const struct outputs *outputs);

void outputs_flush(const struct outputs *outputs);

/* Of the n outputs, in the order of their SPECs. */
void outputs_status(const struct outputs *outputs, struct output_status *ret);

/* Gives up the outputs that are full, or have written nothing since the status `since` although there was
 * something to write. Batches that are pushed later count as dropped for them. */
void outputs_give_up_stuck(struct outputs *outputs, const struct output_status *since);

/* Stop them all; ret as for outputs_status(). One that
 * hangs may use up the time until the deadline: each other one is left enough to write what its queue
 * holds. 0; or -ETIMEDOUT: there are threads that hang, so the process should end soon. */
int outputs_stop(struct outputs *outputs, uint64_t deadline_ns, struct output_status *ret);

#endif
