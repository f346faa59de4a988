/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event loop on epoll, for one thread: descriptors, timers and signals, each with a handler.
 * A handler returns 0, or a negative errno that ends the loop and is loop_run()'s result.
 */
#ifndef UTIL_LOOP_H
#define UTIL_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOP_SOURCES_MAX 16

typedef int (*loop_handler)(void *userdata);

struct loop {
	int epoll_fd;
	bool stopping; /* set by a handler: loop_run() returns after it */
	unsigned int n_sources;
	struct loop_source {
		int fd;
		bool counts; /* a timer or eventfd of which the count is read before the handler */
		bool owned;  /* closed by loop_close() */
		loop_handler handler;
		void *userdata;
	} sources[LOOP_SOURCES_MAX];
};

int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/* Watch a descriptor of the caller's. events: EPOLLIN, perhaps with EPOLLET. 0 or an error. */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_handler handler, void *userdata);

/* An eventfd: *ret_fd is the loop's, for others to write. */
int loop_add_event(struct loop *loop, int *ret_fd, loop_handler handler, void *userdata);

/* On CLOCK_MONOTONIC. period_ms 0: once. */
int loop_add_timer(struct loop *loop, uint64_t first_ms, uint64_t period_ms, loop_handler handler,
		   void *userdata);

/* Block the signals and get them as events. *ret_fd is the loop's, a signalfd for the handler to
 * read. */
int loop_add_signals(struct loop *loop, const sigset_t *signals, int *ret_fd, loop_handler handler,
		     void *userdata);

/* Handle events until `stopping` is set or a handler fails. */
int loop_run(struct loop *loop);

#endif
