// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a program it makes the periods of its timers shorter, by the factor HURRY: what takes
 * hours is then seen in minutes, in the real program.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL

static struct timespec divide(struct timespec time, long long factor)
{
	long long ns = (time.tv_sec * NS_PER_S + time.tv_nsec) / factor;

	return (struct timespec){ .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
}

/* In the place of the C library's. A time of day stays what it is. */
__attribute__((visibility("default"))) int
timerfd_settime(int fd, int flags, const struct itimerspec *wanted, struct itimerspec *old)
{
	const char *text = getenv("HURRY");
	long long factor = text ? atoll(text) : 1;
	struct itimerspec timer = *wanted;

	if (!(flags & TFD_TIMER_ABSTIME) && factor > 1) {
		timer.it_value = divide(timer.it_value, factor);
		timer.it_interval = divide(timer.it_interval, factor);
	}
	return (int)syscall(SYS_timerfd_settime, fd, flags, &timer, old);
}
