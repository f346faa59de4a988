/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live numbers and the control socket: what the meter's event loop sees of them. Sums of what was drained
 * are kept always; a thread of its own serves the clients (docs/protocol.md), and when one of them asks for
 * numbers it looks at the kernel's tables, once a second at most. The event loop waits for nothing of that.
 *
 * All calls are for the event loop's thread. A NULL live is a meter without a control socket.
 */
#ifndef LIVE_LIVE_H
#define LIVE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/capture.h"
#include "pipeline/batch.h"

struct live;

/* What the thread has the event loop do, as it alone may. `userdata` comes back with each. */
struct live_calls {
	void *userdata;

	/* The meter's health: one JSON object, allocated; NULL: no memory. */
	char *(*status)(void *userdata);

	/* Whom a subordinate uid is charged to; NULL: it stays as it is. */
	uint32_t (*owner)(void *userdata, uint32_t uid);

	/* The path of a cgroup, good until the next call; NULL: not known. */
	const char *(*cgroup)(void *userdata, uint64_t id);
};

struct live_settings {
	const char *instance; /* lives as long as the live */
	int listen_fd;	      /* the control socket, which becomes the live's in any case */
	uint64_t interval_s;  /* told to clients */
	struct live_calls calls;
	const struct capture *capture; /* lives longer */
};

/* Prepares all that takes rights. The thread is not started. Returns 0 or a negative errno. */
int live_open(struct live **ret, const struct live_settings *settings);

/* Starts the thread. loop_fd: an eventfd of the caller's, written when live_serve() is to be called. */
int live_start(struct live *live, int loop_fd);

/* Do what the thread has asked for (struct live_calls). */
void live_serve(struct live *live);

/* The batches from now on are of this span. */
void live_begin(struct live *live, const struct capture_span *span);

/* A batch was read, and may be counted in the tables, too, until live_commit(). */
void live_add(struct live *live, struct batch *batch);

/* Between these two the tables are retired, or a span is taken out of them. */
void live_moving(struct live *live);
void live_moved(struct live *live);

/* The span is out of the kernel; between the two calls above. */
void live_commit(struct live *live);

/* Ends the thread, its clients, and the listening. NULL is fine. */
void live_stop(struct live *live);

/* After live_stop(), before the capture is closed. */
void live_close(struct live *live);

#endif
