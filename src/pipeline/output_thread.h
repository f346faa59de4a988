/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of an output's queue, shared by its two sides: output_queue.c, which is the event
 * loop's, and output_thread.c, the thread that calls the output.
 *
 * They meet under one mutex, which is never held over a call of the output. What an output tells
 * (its words and losses, in struct traffic_output) belongs to the thread; a copy is published
 * after each call, so that status can be asked for while a call hangs.
 */
#ifndef PIPELINE_OUTPUT_THREAD_H
#define PIPELINE_OUTPUT_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <traffic_meter/output.h>

#include "pipeline/output_queue.h"
#include "pipeline/user_sums.h"
#include "util/monotonic.h"

#define NEVER UINT64_MAX

/* Different error texts that are logged before the rest is only counted: two files that fail in
 * turn would else fill the log. */
#define HOST_SAID_MAX 8

/* When to call something (again). */
struct retry {
	uint64_t at_ns;	   /* CLOCK_MONOTONIC; 0: at once, NEVER: there is no need */
	uint64_t delay_ns; /* the last wait between two tries; 0: the last one went well */
};

struct output_queue {
	/* set before the thread starts, then read by both */
	char *kind, *target, *nic_id;
	char *label;	  /* "output kind:target", for the log */
	char *spec;	  /* a copy: the thread may outlive the caller's */
	char *pairs;	  /* the options in it that are the output's own */
	uint64_t hold_ns; /* how long it may hold the others in a span; NEVER: for ever */

	/* the event loop's */
	pthread_t thread;
	bool has_thread;
	uint64_t held_ns;    /* how long it has held them in this span, before wait_ns */
	uint64_t waiting_ns; /* since when they wait for it; 0: they do not */

	/* the thread's own */
	struct traffic_output output;
	bool is_open;
	bool write_fails;	      /* the last write() had an error to tell */
	uint64_t trouble_ns;	      /* since when there are errors; 0: all is well */
	uint32_t said[HOST_SAID_MAX]; /* hashes of the errors that are in the log since then */
	size_t n_said;

	pthread_mutex_t mutex; /* guards all that follows */
	pthread_cond_t work;   /* for the thread: there is some, or sooner than it thought */
	pthread_cond_t ended;  /* for the stop */
	struct batch *batches[OUTPUT_QUEUE_BATCHES]; /* a ring */
	size_t first, n;
	size_t taken; /* records of the first batch */
	struct retry write, flush, open;
	bool flush_wanted; /* it is not there for idling only */
	bool settling;	   /* somebody waits for all to be flushed */
	struct output_status status;
	struct output_sum unflushed; /* taken since the last flush() */
	/* It has held the others for too long, and they no longer wait for it. */
	bool let_go;
	bool let_go_said;
	bool given_up;	       /* for good: the meter stops */
	struct user_sums sums; /* what it could not take meanwhile; part of what is queued */
	uint64_t sums_batch;   /* the number of the last batch in them */

	int room_fd;
	bool stopping;
	uint64_t give_up_ns; /* when stopping: nothing is tried any more */
	bool has_ended;
	bool abandoned; /* nobody waits: the thread frees the queue, should it ever end */
};

/* Under the mutex: nothing waits to be written or flushed. */
static inline bool queue_is_settled(const struct output_queue *queue)
{
	return !queue->n && !queue->sums.n && !queue->unflushed.packets[0] &&
	       !queue->unflushed.packets[1] && !queue->unflushed.bytes[0] &&
	       !queue->unflushed.bytes[1];
}

void *host_thread(void *queue);

/* Make the output's context and call init(); on an error close() too. The words are left in
 * .output.error; an error without words (of the SPEC's options) is logged already. */
int host_open(struct output_queue *queue);
void host_close(struct output_queue *queue);

/* Add the records to the sum. */
void queue_sum(struct output_sum *sum, const struct traffic_record *records, size_t n);

/* Under the mutex: queues what was summed up for want of room, as far as there is room now. */
void queue_put_sums(struct output_queue *queue);

void queue_free(struct output_queue *queue);

#endif
