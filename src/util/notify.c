// SPDX-License-Identifier: GPL-2.0-or-later
#include "util/notify.h"

#ifdef HAVE_LIBSYSTEMD

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "util/log.h"

static void notify(const char *state)
{
	int r = sd_notify(0, state);

	if (r < 0)
		log_write(LOG_LEVEL_DEBUG, r, "tell the service manager '%s'", state);
}

void notify_ready(void)
{
	notify("READY=1");
}

/* The time is what a manager of Type=notify-reload (systemd 253) tells its own reload by. */
void notify_reloading(void)
{
	struct timespec now;
	char state[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	notify(state);
}

void notify_stopping(void)
{
	notify("STOPPING=1");
}

void notify_status(const char *text)
{
	char state[512];

	snprintf(state, sizeof(state), "STATUS=%s", text);
	notify(state);
}

static int on_watchdog(void *userdata)
{
	(void)userdata;
	notify("WATCHDOG=1");
	return 0;
}

int notify_watch(struct loop *loop)
{
	uint64_t limit_us, period_ms;
	int r = sd_watchdog_enabled(0, &limit_us);

	if (r < 0)
		log_warning_errno(r, "WATCHDOG_USEC is not understood; the watchdog gets no sign "
				     "of life");
	if (r <= 0)
		return 0;
	period_ms = limit_us / 2000 ?: 1;
	return loop_add_timer(loop, period_ms, period_ms, on_watchdog, NULL);
}

#else

void notify_ready(void)
{
}

void notify_reloading(void)
{
}

void notify_stopping(void)
{
}

void notify_status(const char *text)
{
	(void)text;
}

int notify_watch(struct loop *loop)
{
	(void)loop;
	return 0;
}

#endif
