/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel half's clock turned to wall clock. CLOCK_MONOTONIC never jumps; the wall clock does
 * when somebody sets it, and what lies between is anchored anew then; also after a suspend, in which the
 * first stands still, and which the kernel tells as a setting of the clock.
 */
#ifndef ACCOUNT_CLOCK_H
#define ACCOUNT_CLOCK_H

#include <stdint.h>

struct clock {
	int fd; /* for epoll: readable when the wall clock was set */
	int64_t offset_ns;
};

int clock_open(struct clock *clock);
void clock_close(struct clock *clock);

/* Measure the offset between the two clocks. */
void clock_anchor(struct clock *clock);

/* The descriptor was readable: anchor, and wait for the next time. What was captured before should
 * be read first, so that it keeps the time it had. */
void clock_was_set(struct clock *clock);

static inline uint64_t clock_wall_ns(const struct clock *clock, uint64_t kernel_ns)
{
	return kernel_ns + (uint64_t)clock->offset_ns;
}

#endif
