// SPDX-License-Identifier: GPL-2.0-or-later
#include "account/clock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/log.h"

#define ANCHOR_TRIES 5

static int64_t clock_read_ns(clockid_t id)
{
	struct timespec time;

	clock_gettime(id, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* A timer that is never due, and is cancelled when the clock is set. */
static void arm(const struct clock *clock)
{
	struct itimerspec never = { .it_value.tv_sec = INT64_MAX >> 30 };

	if (timerfd_settime(clock->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL))
		log_warning_errno(errno, "watch for changes of the clock; times of records may be "
					 "off after one");
}

int clock_open(struct clock *clock)
{
	clock->fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (clock->fd < 0)
		return log_error_errno(errno, "make a timer to watch the clock");
	arm(clock);
	clock_anchor(clock);
	return 0;
}

void clock_close(struct clock *clock)
{
	close_fd(&clock->fd);
	clock->fd = -1;
}

/* The wall clock is read between two readings of the other; of several tries the one with the
 * least time between them is the truest. */
void clock_anchor(struct clock *clock)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < ANCHOR_TRIES; i++) {
		int64_t before = clock_read_ns(CLOCK_MONOTONIC);
		int64_t wall = clock_read_ns(CLOCK_REALTIME);
		int64_t after = clock_read_ns(CLOCK_MONOTONIC);

		if (after - before >= best)
			continue;
		best = after - before;
		clock->offset_ns = wall - (before + (after - before) / 2);
	}
}

void clock_was_set(struct clock *clock)
{
	uint64_t expirations;

	/* ECANCELED is what a changed clock reads as; it is armed again by setting it. */
	if (read(clock->fd, &expirations, sizeof(expirations)) < 0 && errno == EAGAIN)
		return;
	arm(clock);
	clock_anchor(clock);
	log_info("the clock was set; times of records follow it");
}
