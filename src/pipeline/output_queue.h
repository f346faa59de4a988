/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host of one output: its thread, its bounded queue of batches, its errors and its counts.
 * All calls here are for one thread, the event loop's, and none of them blocks but
 * output_queue_stop().
 */
#ifndef PIPELINE_OUTPUT_QUEUE_H
#define PIPELINE_OUTPUT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include <traffic_meter/output.h>
#include <traffic_meter/record.h>

#include "pipeline/batch.h"

#define OUTPUT_QUEUE_BATCHES 8

struct output_queue;

/* Sums of records by direction. */
struct output_sum {
	uint64_t packets[2];
	uint64_t bytes[2];
};

/* At any moment, what was pushed = delivered + queued + dropped. What is lost was delivered or queued. */
struct output_status {
	const char *spec;
	struct output_sum delivered; /* taken by write() */
	struct output_sum queued;    /* waiting in the queue; after the stop: never taken */
	struct output_sum dropped;   /* never queued: the output had held the others for too long */
	uint64_t lost_packets, lost_bytes; /* given up by the output or at stop */
	uint64_t errors;		   /* failed calls */
	char error[256];		   /* words of the error that lasts; empty: all is well */
};

/* Make the output that the SPEC names, with its first init() done here, so that an error is known
 * before metering starts: it is logged, a negative errno is returned (-EINVAL: the SPEC is wrong).
 * nic_id: copied. room_fd: an eventfd of the caller's, written when a full queue has room again. */
int output_queue_new(struct output_queue **ret, const char *spec, const char *nic_id, int room_fd);

/* The same for a type that need not be in the registry (tests). */
int output_queue_new_type(struct output_queue **ret, const struct traffic_output_type *type,
			  const char *spec, const char *nic_id, int room_fd);

/* Start its thread, which does all from here on. Apart from output_queue_new(), so that what the
 * process gives up in between its threads do not have either. 0 or an error, logged. */
int output_queue_start(struct output_queue *queue);

/* Rights that the output will need later (enum traffic_output_need). Before the start. */
unsigned int output_queue_needs(const struct output_queue *queue);

/* The totals that the output knows of (traffic_output_type.totals). Before the start. An error of the
 * output's is logged, one of `tell` returned. */
int output_queue_totals(struct output_queue *queue, uint64_t known, traffic_total_tell *tell,
			void *userdata);

/* Whether the output wants the others to wait: its queue is full, and it has not yet held them for as long
 * as its SPEC says (hold=SECONDS, of one span). From then on, until it has written all that it was given,
 * what it can't take is summed up by user (traffic_output_type.sums_up) or dropped. */
bool output_queue_holds(struct output_queue *queue);

/* Append a batch; takes a reference of its own. Only when the output does not hold. */
void output_queue_push(struct output_queue *queue, struct batch *batch);

/* Whether a span may be committed: all that was pushed is handed to the kernel or the peer, or lost, or
 * the output has held the others for too long. No: that is hurried, and room_fd written when it is so. */
bool output_queue_settle(struct output_queue *queue);

/* At the stop: when the output is full, or has written nothing since the status `since` although there
 * was something to write, it holds the others no longer, and batches that are pushed later count as dropped.
 * Returns whether that is so. */
bool output_queue_give_up_stuck(struct output_queue *queue, const struct output_status *since);

/* Have flush() called soon (SIGHUP). */
void output_queue_flush(struct output_queue *queue);

void output_queue_status(struct output_queue *queue, struct output_status *ret);

/* Write what is queued, flush, close, end the thread. An output that has not come to an end at
 * deadline_ns (CLOCK_MONOTONIC) is given up: what it holds is counted as lost.
 * *ret: the final counts; may be NULL. 0, or -ETIMEDOUT: given up; the caller should end the
 * process soon, as the thread may hang. Frees the queue; only ret->spec lives on, if the caller's
 * spec does. */
int output_queue_stop(struct output_queue *queue, uint64_t deadline_ns, struct output_status *ret);

#endif
