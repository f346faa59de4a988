/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the live thread share: see live.h. */
#ifndef LIVE_THREAD_H
#define LIVE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "capture/look.h"
#include "live/live.h"
#include "live/names.h"
#include "live/picture.h"
#include "live/store.h"
#include "live/sums.h"

/* The most batches that wait for the thread: a full flow table's. */
#define LIVE_BATCHES_MAX 512

/* Detail is kept on for so long after it was asked for last. */
#define LIVE_FORGET_NS (10 * 1000000000ull)

struct live {
	struct live_settings settings;
	struct look *look; /* NULL: no tables are in use */
	int wake_fd;	   /* the thread's eventfd */
	int loop_fd;	   /* the event loop's, the caller's */
	pthread_t thread;
	bool started;
	atomic_bool stopping;
	atomic_bool detail; /* batches are wanted */

	/* Goes up when tables begin to move and when they have moved; odd in between. */
	atomic_uint moves;

	/* What both threads use, by the lock. */
	pthread_mutex_t lock;
	struct sums users, interfaces;
	struct batch *batches[LIVE_BATCHES_MAX];
	size_t n_batches, n_committed;
	uint64_t batches_refused;
	bool status_wanted;
	char *status; /* the answer; the thread takes it */
	struct live_names names;

	bool in_tables; /* the event loop's: the span is of the tables */

	/* The thread's. */
	struct store store;
	struct picture now, before;
	uint64_t detail_ns; /* when detail was asked for last */
};

uint64_t live_now_ns(void);

/* Look at the tables and put the result in live->now. Returns 0, -EAGAIN: the tables moved all the time, or
 * another negative errno. */
int live_look(struct live *live);

/* Have the event loop call live_serve(). */
void live_ask_loop(struct live *live);

/* The thread's function: serves clients until live->stopping. */
void *live_thread(void *live);

#endif
